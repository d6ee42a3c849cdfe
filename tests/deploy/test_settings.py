"""What deploy/ sets is what Berth reads, and adds up to an installation that starts."""

import base64
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict

from portal import environment
from portal.environment import VARIABLES, BadEnvironment, Environment
from tests.deploy.processes import (
    DEPLOY,
    HOST,
    Process,
    compose,
    containers,
    of_kind,
    options,
    ours,
    processes,
    resources,
    workloads,
)
from tests.instance import ROOT

#: Read by others than ``portal.environment``: boto3, and the model server.
FOREIGN = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "BERTH_TOKEN",
}
#: Read by images that are not ours.
THEIRS = {
    "postgres": ("POSTGRES_",),
    "valkey": ("REDISCLI_AUTH",),
    "kafka": ("KAFKA_", "CLUSTER_ID"),
}
PORTAL = [process for process in ours() if process.target == "portal"]


def loaded(process: Process, home: Path) -> Environment:
    """What the process would start with; real keys stand in for the example's placeholders."""
    environ = {**process.environ, "BERTH_HOME": str(home)}
    if process.place == "kubernetes":
        environ["SECRET_KEY"] = secrets.token_hex(32)
        environ["BERTH_SIGNING_KEY"] = base64.b64encode(secrets.token_bytes(32)).decode()
    return environment.load(environ)


@pytest.mark.parametrize("process", ours(), ids=str)
def test_every_variable_is_one_that_somebody_reads(process: Process) -> None:
    assert set(process.environ) <= {variable.name for variable in VARIABLES} | FOREIGN


def test_other_images_get_variables_of_their_own_alone() -> None:
    for process in processes():
        if not process.target and process.environ:
            assert all(name.startswith(THEIRS[process.name]) for name in process.environ)


@pytest.mark.parametrize("process", PORTAL, ids=str)
def test_every_process_starts_with_what_is_set(process: Process, tmp_path: Path) -> None:
    env = loaded(process, tmp_path)
    assert env.production
    assert HOST in env.allowed_hosts
    assert process.environ["BERTH_HOME"] == "/var/lib/berth"


def test_only_prepare_knows_the_owner_of_the_tables(tmp_path: Path) -> None:
    for process in PORTAL:
        env = loaded(process, tmp_path)
        owner = conninfo_to_dict(env.database_url)["user"]
        assert owner == ("berth" if process.name == "prepare" else "berth_app")
        assert conninfo_to_dict(env.database_app_url)["user"] == "berth_app"


def test_the_example_of_secrets_is_refused_as_it_stands(tmp_path: Path) -> None:
    (web,) = [process for process in PORTAL if str(process) == "kubernetes:web"]
    with pytest.raises(BadEnvironment, match="SECRET_KEY has"):
        environment.load({**web.environ, "BERTH_HOME": str(tmp_path)})
    long_enough = {**web.environ, "BERTH_HOME": str(tmp_path), "SECRET_KEY": secrets.token_hex(32)}
    with pytest.raises(BadEnvironment, match="BERTH_SIGNING_KEY"):
        environment.load(long_enough)


def test_web_answers_to_the_names_that_probes_and_model_servers_call_it_by(tmp_path: Path) -> None:
    for process in PORTAL:
        if process.name == "web":
            called = {"localhost"} | {
                str(urlsplit(options(server.command, "--feed")).hostname)
                for server in ours()
                if server.name == "server" and server.place == process.place
            }
            assert called <= set(loaded(process, tmp_path).allowed_hosts)
    for workload in workloads():
        for container in containers(workload):
            for name in ("startupProbe", "readinessProbe", "livenessProbe"):
                headers = container.get(name, {}).get("httpGet", {}).get("httpHeaders", [])
                assert all(header["value"] == "localhost" for header in headers)


def test_the_loader_sees_the_journal_of_web() -> None:
    services = compose()["services"]
    assert services["web"]["volumes"] == services["loader"]["volumes"] == ["home:/var/lib/berth"]
    (web,) = [one for one in workloads() if one["metadata"]["name"] == "berth-web"]
    loader, portal = containers(web)
    assert loader["restartPolicy"] == "Always"
    assert loader["volumeMounts"] == portal["volumeMounts"]
    assert "home" in {one["metadata"]["name"] for one in web["spec"]["volumeClaimTemplates"]}


def test_web_has_the_threads_that_it_has_in_make_run() -> None:
    """Many, so that long polls wait in them; few of them work at a time."""
    (threads,) = re.findall(
        r'"--blocking-threads", "(\d+)"', (ROOT / "portal/supervisor.py").read_text()
    )
    for process in PORTAL:
        if process.name == "web":
            assert options(process.command, "--blocking-threads") == threads


def test_the_proxies_hold_a_body_back_and_take_the_largest_file() -> None:
    """A job's file may have 4 GiB; ``BERTH_PROXIES`` counts on X-Forwarded-For."""
    nginx = (DEPLOY / "compose" / "nginx.conf").read_text()
    for said in ("proxy_request_buffering on", "client_max_body_size 4200m", "X-Forwarded-Proto"):
        assert said in nginx
    (ingress,) = of_kind("Ingress")
    assert ingress["metadata"]["annotations"]["nginx.org/client-max-body-size"] == "4200m"
    assert all(process.environ["BERTH_PROXIES"] == "1" for process in PORTAL)


def test_a_model_server_may_reach_no_database() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in resources("network.yaml")}
    (closed,) = policies["berth-services"]["podSelector"]["matchExpressions"]
    assert closed == {
        "key": "app.kubernetes.io/component",
        "operator": "NotIn",
        "values": ["server"],
    }
    assert policies["berth-nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_autoscaler_scales_the_model_servers() -> None:
    (scaler,) = of_kind("HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]
    (scaled,) = [one for one in workloads() if one["metadata"]["name"] == target["name"]]
    assert (scaled["kind"], "replicas" in scaled["spec"]) == (target["kind"], False)
    assert all("cpu" in one["resources"]["requests"] for one in containers(scaled))
