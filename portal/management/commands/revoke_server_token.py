"""``manage.py revoke_server_token``: a model server's token stops working."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.actions import revoke_server_token
from portal.errors import BerthError


class Command(BaseCommand):
    help = "Revoke a token; `manage.py server_tokens` names them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", help="the token's id: st_…")

    def handle(self, *, id: str, **options: Any) -> None:
        try:
            token = revoke_server_token(id)
        except BerthError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{token.pk} ({token.name}) is revoked.")
