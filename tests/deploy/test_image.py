"""The images, as far as they can be tried without an engine: what is copied into them is there,
is enough, and starts."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.processes import DEPLOY, scripts
from tests.instance import ROOT, clean_environ

INSTRUCTIONS = scripts(DEPLOY / "Dockerfile")
SERVER = "requirements-server.lock"
PROJECT = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())
#: `python SCRIPT …` as it starts where nothing but the image's files and its packages are.
START = (
    "import runpy, sys; sys.path[:0] = ['.', 'runtime']; sys.path.append(sys.argv.pop(1));"
    "sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
)
PRODUCTION = {
    "BERTH_ENV": "production",
    "DATABASE_URL": "postgresql://berth:secret@postgres/berth",
    "REDIS_URL": "redis://valkey",
    "ALLOWED_HOSTS": "models.example.com",
}


def copied() -> dict[str, list[str]]:
    """Stage -> what it takes from the checkout."""
    stages: dict[str, list[str]] = {}
    for line in INSTRUCTIONS:
        if line.startswith("FROM "):
            stage = line.split(" AS ")[1]
            stages[stage] = []
        elif line.startswith("COPY ") and "--from=" not in line:
            stages[stage] += line.split()[1:-1]
    return stages


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """/opt/berth of the target `portal`, without its packages."""
    for name in copied()["portal"]:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def started(image: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A script of the image. -S leaves out the file that leads to this checkout."""
    return subprocess.run(
        [sys.executable, "-S", "-c", START, sysconfig.get_path("purelib"), *command],
        cwd=image,
        env={**clean_environ(image / "home"), **PRODUCTION, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_copied_is_there_and_is_sent_to_the_build() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split("\n")
    sent = {line[1:] for line in ignored if line.startswith("!")}
    named = {name for names in copied().values() for name in names}
    assert named == sent
    assert all((ROOT / name).exists() for name in named)


def test_what_runs_is_not_root_and_what_is_installed_is_held_to_its_hash() -> None:
    stages = "\n".join(INSTRUCTIONS).split("FROM ")
    for stage in stages:
        if re.search(r"AS (portal|server)\n", stage):
            assert "\nUSER 10001:10001\n" in stage
    installs = re.findall(r"pip install .*?(?= && |\n)", "\n".join(INSTRUCTIONS))
    assert len(installs) == 3
    for install in installs:
        held = "--require-hashes" in install and "--only-binary :all:" in install
        assert held or "--no-deps --no-build-isolation ./runtime" in install


def test_the_portal_starts_from_the_copied_files_alone(image: Path) -> None:
    done = started(image, "manage.py", "check", SECRET_KEY="k" * 50)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr


def test_without_a_secret_key_it_says_what_to_set(image: Path) -> None:
    done = started(image, "manage.py", "check")
    assert done.returncode == 1
    said = "Berth: SECRET_KEY is not set: BERTH_ENV=production requires it, so set it."
    assert done.stderr.strip() == said


def test_the_web_process_has_all_that_it_imports(image: Path) -> None:
    done = started(image, "portal/wsgi.py", SECRET_KEY="k" * 50)
    assert done.returncode == 0, done.stderr


def versions(lock: str) -> dict[str, str]:
    """Package -> version, as a lock file pins it."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_runtime_brings_the_command_that_is_started() -> None:
    assert PROJECT["project"]["scripts"] == {"berth": "berth.cli:main"}


def test_the_server_s_packages_are_what_the_runtime_asks_for() -> None:
    project = PROJECT["project"]
    extras = project.get("optional-dependencies", {})
    asked = [*project["dependencies"], *extras.get("server", []), *extras.get("kafka", [])]
    pinned = versions(SERVER)
    for text in [*asked, *PROJECT["build-system"]["requires"]]:
        requirement = Requirement(text)
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, text


def test_the_server_s_packages_have_the_portal_s_versions() -> None:
    portal, server = versions("requirements.lock"), versions(SERVER)
    both = portal.keys() & server.keys()
    assert {"numpy", "onnxruntime", "cryptography", "orjson", "granian"} <= both
    assert {name: server[name] for name in both} == {name: portal[name] for name in both}


def test_the_server_s_packages_hold_all_that_the_runtime_imports() -> None:
    homes = packages_distributions()
    pinned = {canonicalize_name(name) for name in versions(SERVER)}
    for path in (ROOT / "runtime" / "berth").rglob("*.py"):
        for module in imported(path):
            if module not in sys.stdlib_module_names and module != "berth":
                names = {canonicalize_name(name) for name in homes.get(module, [module])}
                assert names & pinned, f"{path.name} imports {module}"


def imported(path: Path) -> set[str]:
    """The top-level modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found
