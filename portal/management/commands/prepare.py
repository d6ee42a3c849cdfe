"""``manage.py prepare``: role, privileges, tables and, for a first look, the demo."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from demo.seed import SeedingFailed, seed
from models_hub.events import complete_feed
from portal import prepared
from portal.bootstrap import BootstrapFailed, bootstrap


class Command(BaseCommand):
    """Idempotent; run it after each upgrade, before the new processes start."""

    help = "Makes the application's role and the tables; in development also the demo."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave the demo out")

    def handle(self, *, no_demo: bool, verbosity: int, **options: object) -> None:
        env = settings.ENV
        try:
            bootstrap(env.database_url, env.database_app_url)
        except BootstrapFailed as error:
            raise CommandError(str(error)) from error
        executor = MigrationExecutor(connections["owner"])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", database="owner", interactive=False, verbosity=verbosity)
        complete_feed()  # not only after a migration: the last run may have died between the two
        sign_in = None if no_demo or env.production else self._demo()
        prepared.write(env.home, sign_in)

    def _demo(self) -> str | None:
        """The demo's sign-in. A portal without a demo is still one: the next start tries again."""
        try:
            return seed()
        except SeedingFailed as error:
            self.stderr.write(str(error))
            return None
