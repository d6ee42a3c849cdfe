"""A shorter clock for reading a file than for the whole inspection."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

READING_SECONDS = 30


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Be killed by SIGXCPU after `seconds` more of this process's processor time.

    A crafted pickle can keep one call of compiled code busy for ever, which no Python code can
    interrupt; honest files of the largest size are read in a few seconds.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    used = resource.getrusage(resource.RUSAGE_SELF)
    wanted = int(used.ru_utime + used.ru_stime) + 1 + seconds
    limits = [limit for limit in (soft, wanted) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_CPU, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
