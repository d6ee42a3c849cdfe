"""Many threads wait, two work.

A web process has as many threads as there are slow senders, waiting polls and downloads at a time;
but threads that work at once only slow each other, since one interpreter's lock is all they have.
So a request works with one of two permits in hand, and puts it down while it waits for somebody
outside. With the permit goes its database connection: however many threads there are, a process
has as many connections as permits (and one for each download that reads from the database).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

AT_WORK = 2
_free: "SimpleQueue[BaseDatabaseWrapper]" = SimpleQueue()
_making = threading.Lock()
_made = 0
_held = threading.local()


def take() -> None:
    """Wait for a permit; this thread's database connection is the permit's from here on. One that
    broke under whoever had it before is made anew (one that did not is not asked)."""
    if _made < AT_WORK:
        _make()
    permit = _free.get()
    connections[DEFAULT_DB_ALIAS] = permit
    _held.permit = permit
    try:
        permit.close_if_unusable_or_obsolete()
    except BaseException:
        give_back()  # there are but two
        raise


def _make() -> None:
    """The permits, at the first request: Django is set up by then."""
    global _made
    with _making:
        while _made < AT_WORK:
            permit = connections.create_connection(DEFAULT_DB_ALIAS)
            permit.inc_thread_sharing()  # one thread at a time has it
            _free.put(permit)
            _made += 1


def give_back() -> None:
    """End of the work; what this thread does of the database now, it does with its own."""
    permit, _held.permit = _held.permit, None
    del connections[DEFAULT_DB_ALIAS]
    _free.put(permit)


@contextmanager
def resting() -> Iterator[None]:
    """Around a wait for somebody outside: others work meanwhile.

    Without effect where this thread has no permit, or an open transaction that can't be left.
    """
    permit = getattr(_held, "permit", None)
    if permit is None or permit.in_atomic_block:
        yield
        return
    give_back()
    try:
        yield
    finally:
        take()
