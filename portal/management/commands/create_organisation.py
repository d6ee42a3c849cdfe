"""``manage.py create_organisation``: an organisation with all it needs to be called."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error, transaction

from portal import tenancy
from portal.access import KEY_SCOPES, system
from portal.actions import create_key, create_organisation
from portal.errors import BerthError
from predictions.actions import create_widget


class Command(BaseCommand):
    help = "Make an organisation, its owner, one secret key with all scopes and one widget."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="its place in addresses: small letters, digits, hyphens")
        parser.add_argument("--name", required=True, help="as people read it")
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        parser.add_argument(
            "--password", required=True, help="of the owner; a person with an account keeps theirs"
        )
        parser.add_argument(
            "--calls-per-minute", type=int, metavar="N", help="limit of the organisation and key"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = _make(options)
        except (BerthError, Error) as error:
            self.stderr.write(str(error).splitlines()[0])
            raise SystemExit(1) from error
        if options["json"]:
            self.stdout.write(json.dumps(made))
        else:
            self.stdout.write("\n".join(f"{name}: {value}" for name, value in made.items()))


@transaction.atomic
def _make(options: dict[str, Any]) -> dict[str, str]:
    """All of it or nothing. The keys' texts are returned this once."""
    limit: int | None = options["calls_per_minute"]
    organisation = create_organisation(
        options["slug"],
        options["name"],
        options["owner"],
        options["password"],
        calls_per_minute=limit,
    )
    caller = system(organisation.pk)
    with tenancy.scope(organisation.pk):
        scopes = [scope.value for scope in KEY_SCOPES]
        key = create_key(caller, "First key", scopes, calls_per_minute=limit)
        widget = create_widget(caller, "First widget")
    return {
        "organisation": organisation.slug,
        "owner": options["owner"].strip().lower(),
        "secret_key": key.text,
        "publishable_key": widget.key_id,
    }
