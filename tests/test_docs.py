"""What the README says is so: its table, its snippets, its commands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from models_hub.formats import FORMATS
from models_hub.models import Architecture
from portal.environment import VARIABLES
from predictions.architectures import ARCHITECTURES
from tests.instance import ROOT, Instance
from tests.outside import Outsider

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_table_of_settings_is_the_one_that_is_read() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", README, re.MULTILINE)
    assert rows == [(v.name, v.default, v.meaning) for v in VARIABLES]


def test_every_picture_and_page_that_it_names_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_make_target_that_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make (\w+)`", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_dict_of_architectures_and_the_choices_name_the_same_members() -> None:
    assert list(ARCHITECTURES) == Architecture.values
    for architecture in ARCHITECTURES.values():
        assert architecture.name in README


def test_the_formats_that_it_offers_are_the_ones_that_are_taken() -> None:
    offered = set(re.findall(r"(?<= |\()\.[a-z]+(?= |\))", re.findall(r"upload \(.*\)", README)[0]))
    assert offered == {form.extensions[0] for form in FORMATS.values()}


@pytest.mark.timeout(400)
def test_the_first_upload_works_as_printed(instance: Instance, tmp_path: Path) -> None:
    """The Python and then every curl of “The first upload”, as a newcomer would paste them."""
    made = instance.create_organisation("readme", "readme@acme.example")
    outsider = Outsider(instance.base_url, made["secret_key"])
    program = tmp_path / "train.py"
    program.write_text(blocks("python")[0])
    subprocess.run([sys.executable, program], cwd=tmp_path, check=True)
    environ = {**os.environ, "BERTH": instance.base_url, "BERTH_KEY": made["secret_key"]}
    shell = [block for block in blocks("sh") if "curl" in block]
    calls = [call for block in shell for call in re.findall(r"curl .*?[^\\]\n", block, re.DOTALL)]
    assert len(calls) == 6
    for call in calls:
        if "promote" in call:
            outsider.wait("/models/pay/versions/1", "inspecting")
        told = ["bash", "-c", f"set -o pipefail; {call.rstrip()} --fail-with-body -sS"]
        done = subprocess.run(
            told, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (call, done.stdout, done.stderr)
    assert outsider.get("/models/pay")["live_version"] == 1
    job = outsider.get("/jobs")["items"][0]
    assert outsider.wait(f"/jobs/{job['id']}", "queued", "running")["status"] == "succeeded"
