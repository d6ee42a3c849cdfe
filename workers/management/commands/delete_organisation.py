"""``manage.py delete_organisation``: an organisation and all that it has, for good."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.errors import BerthError
from workers.dissolution import close, dissolve, organisation_called


class Command(BaseCommand):
    help = "Delete an organisation: jobs, predictions, models, files, audit log. Can be run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="its slug; people keep their accounts")
        parser.add_argument(
            "--grace",
            type=float,
            default=15.0,
            metavar="SECONDS",
            help="between the withdrawal of its models and their end, for followers to hear of it",
        )

    def handle(self, *, slug: str, grace: float, **options: Any) -> None:
        try:
            organisation_id = organisation_called(slug)
            close(organisation_id)
            time.sleep(grace)
            close(organisation_id)  # what began before its keys were known to be revoked
            dissolve(organisation_id)
        except BerthError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"“{slug}” is deleted.")
