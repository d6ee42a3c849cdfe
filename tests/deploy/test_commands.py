"""Every command in deploy/ is one that Berth knows, and the README's table is what runs."""

import argparse
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click
import pytest
from celery.app.utils import find_app
from celery.bin.base import CLIContext
from celery.bin.celery import celery
from django.core.management import get_commands, load_command_class
from granian.cli import cli as granian

from tests.deploy.processes import (
    DEPLOY,
    KUBERNETES,
    Process,
    ours,
    processes,
    readme_table,
)
from tests.instance import ROOT
from workers.config import task_routes

#: The README's word for a process -> the containers that are it.
CONTAINERS = {
    "once per release": {"prepare"},
    "web": {"web"},
    "worker": {"worker", "sandbox"},
    "notifier": {"notifier"},
    "loader": {"loader"},
    "scheduler": {"scheduler"},
    "relay": {"relay"},
    "model server": {"server"},
}


def parse(process: Process) -> None:
    """Raises what the command itself would raise or exit with, were its options wrong."""
    program, *arguments = process.command
    {"granian": web, "celery": worker, "python": manage, "berth": serve}[program](arguments)


def web(arguments: list[str]) -> None:
    context = granian.make_context("granian", arguments)
    module, _, name = context.params["app"].partition(":")
    spec = find_spec(module)
    assert spec
    assert spec.loader
    assert f"{name} = " in spec.loader.get_source(module)  # type: ignore[attr-defined]  # a file's


def worker(arguments: list[str]) -> None:
    context: Any = celery.make_context("celery", arguments)
    context.obj = CLIContext(app=find_app(context.params["app"]), no_color=True, workdir=None)
    name, command, rest = celery.resolve_command(context, [*context._protected_args, *context.args])
    assert command, name
    command.make_context(name, rest, parent=context)


def manage(arguments: list[str]) -> None:
    script, name, *rest = arguments
    assert script == "manage.py"
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(rest)


def serve(arguments: list[str]) -> None:
    name, *rest = arguments
    assert name == "serve"
    parser = argparse.ArgumentParser()
    import_module("berth.server.serve").add_arguments(parser)
    parser.parse_args(rest)


@pytest.mark.parametrize("process", ours(), ids=str)
def test_every_command_of_ours_is_a_real_one(process: Process) -> None:
    parse(process)


def test_an_unknown_option_would_be_noticed() -> None:
    (process,) = [one for one in ours() if str(one) == "compose:web"]
    with pytest.raises(click.NoSuchOption):
        parse(replace(process, command=[*process.command, "--threads-of-gold"]))


def test_every_command_that_the_guide_tells_to_type_exists() -> None:
    guide = (ROOT / "docs" / "deploying.md").read_text()
    told = set(re.findall(r"python manage\.py (\w+)", guide))
    assert told
    assert told <= get_commands().keys()


def test_every_file_that_the_guide_names_is_there() -> None:
    guide = (ROOT / "docs" / "deploying.md").read_text()
    for name in re.findall(r"`([\w./-]+\.(?:yaml|sh))`", guide):
        found = [folder / name for folder in (ROOT, DEPLOY / "compose", KUBERNETES)]
        assert any(path.exists() for path in found), name


def words(commands: Iterator[list[str]]) -> set[str]:
    """A command's words, each queue of a list one by itself."""
    return {word for command in commands for word in re.split(r"[ ,]", " ".join(command))}


@pytest.mark.parametrize("place", ["compose", "kubernetes"])
def test_the_readme_s_table_and_what_is_deployed_agree(place: str) -> None:
    table = readme_table()
    assert set(table) == set(CONTAINERS)
    here = [process for process in ours() if process.place == place]
    assert {process.name for process in here} <= set().union(*CONTAINERS.values())
    for documented, names in CONTAINERS.items():
        run = words(process.command for process in here if process.name in names)
        told = words(iter([shlex.split(table[documented])]))
        said = {word for word in told if not re.fullmatch(r"[A-Z]+", word)}  # TOKEN and the like
        assert said <= run, documented


@pytest.mark.parametrize("place", ["compose", "kubernetes"])
def test_somebody_listens_to_every_queue(place: str) -> None:
    heard = {
        queue
        for process in processes()
        if process.place == place and "-Q" in process.command
        for queue in process.command[process.command.index("-Q") + 1].split(",")
    }
    assert heard == {route["queue"] for route in task_routes.values()}
