"""deploy/ is what its readers (Docker, compose, Kubernetes) take it for, by their own rules."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.processes import COMPOSE, DEPLOY, KUBERNETES, containers, resources, workloads

OLDEST = "1.32"  # the oldest Kubernetes that docs/deploying.md promises
BIN = Path(sys.executable).parent


def told(command: list[str | Path]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize(
    "resource", resources(), ids=lambda r: f"{r['kind']}-{r['metadata']['name']}"
)
def test_every_manifest_is_valid_by_kubernetes_own_schemas(
    resource: dict[str, Any], version: str
) -> None:
    """Strictly: a field that the schema does not know is an error."""
    kubernetes_validate.validate(resource, version, strict=True)


def test_the_schemas_refuse_a_misspelt_field() -> None:
    (web,) = [one for one in resources("web.yaml") if one["kind"] == "StatefulSet"]
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate({**web, "spec": {**web["spec"], "replica": 2}}, OLDEST, True)


def test_the_compose_file_is_valid_by_the_specification_s_schema() -> None:
    checker: list[str | Path] = [
        BIN / "check-jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
    ]
    assert told([*checker, COMPOSE]) == ""


def test_the_linter_has_nothing_to_say_about_the_dockerfile() -> None:
    assert told([BIN / "hadolint", DEPLOY / "Dockerfile"]) == ""


def test_every_manifest_is_listed_where_it_is_applied_from() -> None:
    """All but the example of secrets and what some clusters bring themselves."""
    by_hand = {KUBERNETES / "secret.example.yaml", KUBERNETES / "runtime-class.yaml"}
    listed: set[Path] = set()
    for path in KUBERNETES.rglob("kustomization.yaml"):
        read = yaml.safe_load(path.read_text())
        named = [*read.get("resources", []), *read.get("components", [])]
        assert all((path.parent / name).exists() for name in named), path
        listed |= {path.parent / name for name in named if name.endswith(".yaml")}
    written = set(KUBERNETES.rglob("*.yaml")) - set(KUBERNETES.rglob("kustomization.yaml"))
    assert written - by_hand == listed


@pytest.mark.parametrize("workload", workloads(), ids=lambda w: w["metadata"]["name"])
def test_no_pod_asks_for_what_the_namespace_s_policy_refuses(workload: dict[str, Any]) -> None:
    """Kubernetes' Pod Security Standard “restricted”, and a root that can't be written."""
    pod = workload["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all(set(volume) == {"name", "emptyDir"} for volume in pod["volumes"])
    for container in containers(workload):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


def test_selectors_find_the_pods_they_are_written_for() -> None:
    """Of a Service, a budget, a policy: at least one pod; of a workload: its own."""
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in workloads()]
    for one in resources():
        spec = one.get("spec", {})
        wanted = spec.get("podSelector", spec.get("selector", {}))
        wanted = wanted.get("matchLabels", wanted)
        assert any(wanted.items() <= found.items() for found in labels), one["metadata"]["name"]
    for one in workloads():
        if one["kind"] != "Job":
            own = one["spec"]["template"]["metadata"]["labels"]
            assert one["spec"]["selector"]["matchLabels"] == own
