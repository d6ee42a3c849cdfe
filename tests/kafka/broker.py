"""One real Apache Kafka broker (KRaft, a single node) out of Maven's jars, for tests."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.instance import free_port
from tests.programs import missing, require_program

POM = Path(__file__).with_name("pom.xml")
START_SECONDS = 60.0
CLUSTER = "berth-tests-cluster-01"  # 22 characters: a UUID in base64
# A short life on a busy machine: compiled once, one collector thread.
JAVA = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/logs
auto.create.topics.enable=false
num.partitions=1
num.network.threads=1
num.io.threads=2
num.recovery.threads.per.data.dir=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
log.cleaner.backoff.ms=200
log.initial.task.delay.ms=200
log.cleaner.dedupe.buffer.size=8388608
"""
AT_ONCE = {
    "min.compaction.lag.ms": "0",
    "min.cleanable.dirty.ratio": "0",
    "segment.ms": "100",
    "delete.retention.ms": "0",
}
LOGGING = """
rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %c: %m%n
"""


def jars() -> Path:
    """The folder of Kafka's jars: fetched by Maven once for each pom.xml, and kept.

    Skips or fails the test where they can't be had.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "berth-tests" / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as draft:
        argv = [require_program("mvn"), "--batch-mode", "--quiet", "--file", str(POM)]
        argv += ["dependency:copy-dependencies", "-DincludeScope=runtime"]
        argv += [f"-DoutputDirectory={draft}/jars"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"Maven can't fetch Kafka's jars: {done.stdout[-500:]}")
        with suppress(OSError):  # another session was first
            Path(draft, "jars").rename(folder)
    return folder


class Broker:
    """A broker on a free port. ``down`` is kill -9; what it acknowledged survives that."""

    def __init__(self) -> None:
        self.java, self.jars = require_program("java"), jars()
        self.folder = Path(tempfile.mkdtemp(prefix="berth-kafka-"))
        self.port, controller = free_port(), free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self.properties = self.folder / "server.properties"
        self.properties.write_text(
            PROPERTIES.format(port=self.port, controller=controller, folder=self.folder)
        )
        self.logging = self.folder / "log4j2.properties"
        self.logging.write_text(LOGGING)
        self.log = self.folder / "broker.log"
        self.process: subprocess.Popen[bytes] | None = None

    @cached_property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    def format(self) -> None:
        """Make the empty log folder."""
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def up(self) -> None:
        """Start it, and return when it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._java("kafka.Kafka"), stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"Kafka did not start:\n{self.log.read_text()[-3000:]}")

    def answers(self) -> bool:
        """Whether it lists its topics within a second."""
        with suppress(KafkaException):
            return bool(self.admin.list_topics(timeout=1).brokers)
        return False

    def down(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def forget(self, *topics: str) -> None:
        """Delete the topics that are there."""
        there = set(self.admin.list_topics(timeout=5).topics)
        if found := [topic for topic in topics if topic in there]:
            for deletion in self.admin.delete_topics(found).values():
                deletion.result(10)

    def compact_at_once(self, topic: str) -> None:
        """Have what compaction would take after hours taken within a second or so."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in AT_ONCE.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(10)

    def remove(self) -> None:
        """Kill it and forget what it kept."""
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _java(self, program: str, *arguments: str) -> list[str]:
        options = [*JAVA, "-cp", f"{self.jars}/*", f"-Dlog4j2.configurationFile={self.logging}"]
        return [self.java, *options, program, *arguments, str(self.properties)]


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """A broker that is started once; who takes it down brings it up again."""
    broker = Broker()
    try:
        broker.format()
        broker.up()
        yield broker
    finally:
        broker.remove()
