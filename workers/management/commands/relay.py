"""``manage.py relay``: brings the feeds of models and keys to Apache Kafka."""

import signal
import threading
from types import FrameType

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from workers.relay import Relay


class Command(BaseCommand):
    """Several may run; one of them works, and another takes over when it ends."""

    help = "Brings the feeds of models and keys to Apache Kafka, until it gets a signal."
    requires_system_checks = ()

    def handle(self, **options: object) -> None:
        if not settings.ENV.kafka_bootstrap_servers:
            raise CommandError("KAFKA_BOOTSTRAP_SERVERS is not set: there is nobody to relay to.")
        stop = threading.Event()

        def on_signal(number: int, frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, on_signal)
        Relay(stop).run()
