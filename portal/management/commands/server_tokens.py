"""``manage.py server_tokens``: the tokens that were made; their texts are not kept."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from portal.actions import server_tokens


class Command(BaseCommand):
    help = "List the tokens of model servers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON array")

    def handle(self, **options: Any) -> None:
        rows = [
            {
                "id": token.pk,
                "name": token.name,
                "created": token.created.isoformat(),
                "revoked": token.revoked.isoformat() if token.revoked else None,
            }
            for token in server_tokens()
        ]
        if options["json"]:
            self.stdout.write(json.dumps(rows))
            return
        for row in rows:
            ending = f"revoked {row['revoked']}" if row["revoked"] else "works"
            self.stdout.write(f"{row['id']}  {row['name']}  made {row['created']}  {ending}")
