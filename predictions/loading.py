"""From journal files into the predictions database, each record exactly once."""

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from portal.tenancy import scope
from predictions.journal import OPEN, READY, records_of
from predictions.models import JournalFile, Prediction

log = structlog.get_logger()
FOLDER: Path = settings.ENV.home / "journal"
BATCH = 1_000


def load_all(folder: Path = FOLDER) -> int:
    """Load every file that is closed or whose process is gone. Returns the records loaded."""
    if not folder.is_dir():
        return 0
    return sum(load(path) for path in sorted(folder.iterdir()) if path.suffix in (OPEN, READY))


def load(path: Path) -> int:
    """Load one file and remove it. 0 when another process holds it.

    The file goes only after its records are committed; a crash in between loads it again, and
    the records' ids make that harmless.
    """
    with _held(path) as data:
        if data is None:
            return 0
        records, torn = records_of(data)
        _insert([orjson.loads(record) for record in records])
        with transaction.atomic():
            JournalFile.objects.get_or_create(
                name=path.stem, defaults={"records": len(records), "torn": torn}
            )
        path.unlink()
    if torn:
        log.warning("journal_torn", file=path.name)
    return len(records)


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


def _insert(records: list[dict[str, Any]]) -> None:
    """By organisation, so that each insert is inside its tenant's walls."""
    by_organisation: dict[str, list[Prediction]] = defaultdict(list)
    for record in records:
        by_organisation[record["organisation"]].append(_row(record))
    for organisation, rows in by_organisation.items():
        try:
            with scope(UUID(organisation)):
                Prediction.objects.bulk_create(rows, BATCH, ignore_conflicts=True)
        except IntegrityError:  # the organisation was deleted meanwhile, and its records with it
            log.warning("journal_of_nobody", organisation=organisation, records=len(rows))


def _row(record: dict[str, Any]) -> Prediction:
    return Prediction(
        id=UUID(record["id"]),
        organisation_id=UUID(record["organisation"]),
        at=record["at"],
        model=record["model"],
        version=record["version"],
        source=record["source"],
        rows=record["rows"],
        milliseconds=record["milliseconds"],
        request=record["request"],
        response=record["response"],
    )
