"""From journal files into the predictions database, each record exactly once."""

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import orjson
import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from portal.tenancy import scope
from predictions.journal import OPEN, READY, records_of
from predictions.models import JournalFile, Prediction

log = structlog.get_logger()
FOLDER: Path = settings.ENV.home / "journal"
BAD = ".bad"
BATCH = 1_000
_NOT_TAKEN = (DataError, ValidationError, ValueError, TypeError)
_FIELDS = ("at", "model", "version", "source", "rows", "milliseconds", "request", "response")


def load_all(folder: Path = FOLDER) -> int:
    """Load every file that is closed or whose process is gone. Returns the records loaded."""
    if not folder.is_dir():
        return 0
    return sum(load(path) for path in sorted(folder.iterdir()) if path.suffix in (OPEN, READY))


def load(path: Path) -> int:
    """Load one file and remove it; returns the records loaded. 0 when another process holds it.

    The file goes only after its records are committed; a crash in between loads it again, and
    the records' ids make that harmless. A file with a record that can't be kept is set aside as
    ``.bad`` when all others of it are loaded: it must not stand in the way of the files behind.
    """
    with _held(path) as data:
        if data is None:
            return 0
        records, torn, damaged = records_of(data)
        rows = [row for row in map(_row, records) if row]
        refused = damaged + len(records) - len(rows) + _insert(rows)
        loaded = len(records) + damaged - refused
        with transaction.atomic():
            JournalFile.objects.get_or_create(
                name=path.stem, defaults={"records": loaded, "torn": torn}
            )
        _put_away(path, torn, refused)
    return loaded


def _put_away(path: Path, torn: int, refused: int) -> None:
    if torn:
        log.warning("journal_torn", file=path.name)
    if refused:
        path.rename(path.with_suffix(BAD))
        log.error("journal_set_aside", file=f"{path.stem}{BAD}", records=refused)
    else:
        path.unlink()


@contextmanager
def _held(path: Path) -> Iterator[bytes | None]:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # another loader was faster, or its process closed it just now
        yield None
        return
    with os.fdopen(descriptor, "rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield stream.read() if path.exists() else None


def _insert(rows: list[Prediction]) -> int:
    """By organisation, so that each insert is inside its tenant's walls. Returns how many rows
    PostgreSQL does not take."""
    by_organisation: dict[UUID, list[Prediction]] = defaultdict(list)
    for row in rows:
        by_organisation[row.organisation_id].append(row)
    return sum(_insert_of(*item) for item in by_organisation.items())


def _insert_of(organisation: UUID, rows: list[Prediction]) -> int:
    try:
        with scope(organisation):
            Prediction.objects.bulk_create(rows, BATCH, ignore_conflicts=True)
    except IntegrityError:  # the organisation was deleted meanwhile, and its records with it
        log.warning("journal_of_nobody", organisation=str(organisation), records=len(rows))
    except _NOT_TAKEN as error:
        if len(rows) == 1:
            log.error("record_refused", id=str(rows[0].pk), error=str(error))
            return 1
        half = len(rows) // 2
        return _insert_of(organisation, rows[:half]) + _insert_of(organisation, rows[half:])
    return 0


def _row(record: bytes) -> Prediction | None:
    """The record's row; None when it is not one that a web process of ours writes."""
    try:
        said = orjson.loads(record)
        return Prediction(
            id=UUID(said["id"]),
            organisation_id=UUID(said["organisation"]),
            **{name: said[name] for name in _FIELDS},
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        log.error("record_unreadable", error=repr(error)[:200])
        return None
