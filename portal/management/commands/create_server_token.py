"""``manage.py create_server_token``: what a model server of the installation shows."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.actions import create_server_token
from portal.errors import BerthError


class Command(BaseCommand):
    help = (
        "Make a token for model servers. It shows every organisation's models and the digests of"
        " their keys, so keep it as you keep the database's password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="as you read it in `manage.py server_tokens`")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, name: str, **options: Any) -> None:
        try:
            made = create_server_token(name)
        except BerthError as error:
            raise CommandError(str(error)) from error
        told = {"name": made.row.name, "id": made.row.pk, "token": made.text}
        if options["json"]:
            self.stdout.write(json.dumps(told))
        else:
            self.stdout.write("\n".join(f"{name}: {value}" for name, value in told.items()))
