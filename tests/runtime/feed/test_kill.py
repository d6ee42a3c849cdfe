"""kill -9 of an application that follows, at any moment."""

import base64
import os
import random
import signal
import subprocess
import sys
import threading
from itertools import cycle
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from berth.bundle import Bundle
from berth.feed.store import Store
from tests.instance import ROOT
from tests.runtime.feed.fake import FakePortal

SAYS = Path(__file__).with_name("follow_and_say.py")
KILLS = 4


class Application:
    """The process, and what it said."""

    def __init__(self, portal: FakePortal, folder: Path) -> None:
        raw = portal.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.process = subprocess.Popen(
            [sys.executable, SAYS, portal.url, base64.b64encode(raw), folder],
            env={**os.environ, "PYTHONPATH": str(ROOT / "runtime")},
            stdout=subprocess.PIPE,
            text=True,
        )

    def next(self) -> tuple[int, int, int]:
        """The next answer: the line's offset, the version and what it predicts."""
        assert self.process.stdout is not None
        offset, version, told = self.process.stdout.readline().split()
        return int(offset), int(version), int(told)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_a_kill_at_any_moment_loses_no_version_and_tears_nothing(
    portal: FakePortal, bundles: list[Bundle], folder: Path
) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    moments = random.Random(seed)
    portal.promote(bundles[0], 1)
    over = threading.Event()
    promoting = threading.Thread(target=promote_on, args=(portal, bundles, over))
    promoting.start()
    newest = 0
    try:
        for _ in range(KILLS):
            application = Application(portal, folder)
            for _ in range(moments.randrange(1, 150)):
                offset, version, told = application.next()
                assert told == 1000 * version, "no mixed answer"
                assert offset >= newest, "never an older one after a newer one"
                newest = offset
            application.kill()
            list(Store(folder, portal.key.public_key()).standings())
    finally:
        over.set()
        promoting.join()
    portal.down()
    last = Application(portal, folder)
    offset, version, told = last.next()
    last.kill()
    assert offset >= newest > KILLS
    assert told == 1000 * version


def promote_on(portal: FakePortal, bundles: list[Bundle], over: threading.Event) -> None:
    """One version after another, quicker than they can be applied."""
    for number in cycle((2, 3, 1)):
        if over.wait(0.01):
            return
        portal.promote(bundles[number - 1], number)
