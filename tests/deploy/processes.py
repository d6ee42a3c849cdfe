"""What deploy/ starts: each container of the compose file and of the manifests, with its command
and the environment that it finds."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.instance import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
KUBERNETES = DEPLOY / "kubernetes"
HOST = "models.example.com"
#: The images that deploy/Dockerfile makes, by the target that makes them.
IMAGES = {"berth": "portal", "berth-server": "server"}
_VARIABLE = re.compile(r"\$\{(\w+)(?::(-|\?)([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Process:
    """One container: ``place`` is compose or kubernetes, ``target`` the image's, if it is ours."""

    place: str
    name: str
    target: str | None
    command: list[str]
    environ: dict[str, str]
    spec: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.place}:{self.name}"


@cache
def dot_env() -> dict[str, str]:
    """What ``make-env.sh`` prints, read as compose reads it."""
    told = [shutil.which("sh") or "sh", str(DEPLOY / "compose" / "make-env.sh"), HOST]
    text = subprocess.run(told, capture_output=True, text=True, check=True).stdout
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def filled_in(value: Any, environ: Mapping[str, str]) -> Any:
    """``value`` with compose's ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?}`` replaced."""
    if isinstance(value, dict):
        return {key: filled_in(item, environ) for key, item in value.items()}
    if isinstance(value, list):
        return [filled_in(item, environ) for item in value]
    return _VARIABLE.sub(lambda m: _one(m, environ), value) if isinstance(value, str) else value


def _one(match: re.Match[str], environ: Mapping[str, str]) -> str:
    name, kind, default = match.groups()
    if found := environ.get(name):
        return found
    assert kind == "-", f"make-env.sh gives no {name}"
    return str(default)


@cache
def compose() -> dict[str, Any]:
    """The compose file with a fresh ``.env``."""
    read: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return dict(filled_in(read, dot_env()))


def resources(*names: str) -> list[dict[str, Any]]:
    """The Kubernetes objects of these files, or of all but kustomize's own."""
    paths = [KUBERNETES / name for name in names] or sorted(KUBERNETES.rglob("*.yaml"))
    read = [list(yaml.safe_load_all(p.read_text())) for p in paths if p.stem != "kustomization"]
    return [one for several in read for one in several]


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [one for one in resources() if one["kind"] in kinds]


def workloads() -> list[dict[str, Any]]:
    """The objects that start pods."""
    return of_kind("Deployment", "StatefulSet", "Job")


def containers(workload: Mapping[str, Any]) -> list[dict[str, Any]]:
    pod = workload["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]


@cache
def processes() -> list[Process]:
    return [*_in_compose(), *_in_kubernetes()]


def ours() -> list[Process]:
    """Those that run an image of ours."""
    return [process for process in processes() if process.target]


def _in_compose() -> Iterator[Process]:
    for name, service in compose()["services"].items():
        target = IMAGES.get(service["image"].split(":")[0])
        environ = service.get("environment", {})
        yield Process("compose", name, target, service.get("command", []), environ, service)


def _in_kubernetes() -> Iterator[Process]:
    for workload in workloads():
        for container in containers(workload):
            environ: dict[str, str] = {}
            for source in container["envFrom"]:
                environ |= _shared(source)
            target = IMAGES[container["image"]]
            name, command = container["name"], container["command"]
            yield Process("kubernetes", name, target, command, environ, container)


def _shared(source: Mapping[str, Any]) -> dict[str, str]:
    """What a ConfigMap or Secret named by ``envFrom`` holds."""
    kind = "ConfigMap" if "configMapRef" in source else "Secret"
    name = next(iter(source.values()))["name"]
    (found,) = [one for one in of_kind(kind) if one["metadata"]["name"] == name]
    return dict(found.get("data") or found["stringData"])


def options(command: list[str], name: str) -> str:
    """What follows ``name`` in a command."""
    return command[command.index(name) + 1]


def readme_table() -> dict[str, str]:
    """“In production”: process -> command."""
    text = (ROOT / "README.md").read_text().partition("## In production")[2]
    return dict(re.findall(r"^\| ([\w ]+) \| `(.*?)` \|", text, re.MULTILINE))


def scripts(path: Path) -> list[str]:
    """The instructions of a Dockerfile, each on one line."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)
    return [line.strip() for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]
