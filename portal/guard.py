"""A watcher of the supervisor: when that is gone, however it went, nothing of it stays.

Run as a program. Each line of its input is the id of a process group; the end of the input is the
end of the supervisor. The children were asked to end by the kernel or by the supervisor itself;
what is still there GRACE seconds later is killed. Needs nothing but the standard library.
"""

import os
import signal
import sys
import time
from contextlib import suppress

GRACE = 8.0


def alive(group: int) -> bool:
    """Whether any process of the group exists."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def main() -> None:
    groups = {int(line) for line in sys.stdin}
    end = time.monotonic() + GRACE
    while time.monotonic() < end and (groups := {group for group in groups if alive(group)}):
        time.sleep(0.1)
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
