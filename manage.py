"""Berth's commands, with the embedded PostgreSQL and Valkey around them where they are needed."""

import os
import sys
from contextlib import nullcontext

import django
from django.core.management import call_command, execute_from_command_line

from portal import environment, prepared
from portal.children import ChildFailed
from portal.environment import BadEnvironment
from portal.occupancy import Occupied
from portal.serving import serving

# They read code, not data.
WITHOUT_SERVERS = {"help", "version", "check", "makemigrations", "spectacular"}
PREPARES_ITSELF = {"prepare", "migrate"}


def main(argv: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    command = argv[1] if len(argv) > 1 else "help"
    alone = command in WITHOUT_SERVERS or command.startswith("-") or "--help" in argv
    try:
        env = environment.load()
        with nullcontext(False) if alone else serving(env) as ours:
            if ours and command not in PREPARES_ITSELF and prepared.read(env.home) is None:
                django.setup()
                call_command("prepare", no_demo=True, verbosity=0)
            execute_from_command_line(argv)
    except (BadEnvironment, ChildFailed, Occupied) as error:
        sys.exit(f"Berth: {error}")


if __name__ == "__main__":
    main(sys.argv)
