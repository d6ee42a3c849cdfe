"""From journal files into the predictions database, each record exactly once."""

from collections import defaultdict
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DataError, Error, IntegrityError, connection, transaction
from psycopg.errors import ForeignKeyViolation

from berth.journal import OPEN, READY, held, records_of, sweep
from portal.tenancy import DATABASE_AWAY, scope
from predictions.models import JournalFile
from predictions.records import Record, read

log = structlog.get_logger()
FOLDER: Path = settings.ENV.home / "journal"
BAD = ".bad"
_COLUMNS = "id, organisation_id, at, model, version, source, rows, milliseconds, request, response"
# PostgreSQL takes no COPY into a table behind row-level security, so the rows come by a temporary
# table and go through the wall in one INSERT.
_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS journaled (
    id uuid, organisation_id uuid, at timestamptz, model text, version int, source text,
    rows int, milliseconds float8, request text, response text
) ON COMMIT DELETE ROWS
"""
_COPY = f"COPY pg_temp.journaled ({_COLUMNS}) FROM STDIN"
_INSERT = f"""
INSERT INTO predictions_prediction ({_COLUMNS}) SELECT {_COLUMNS} FROM pg_temp.journaled
ON CONFLICT (id) DO NOTHING
"""  # noqa: S608  # constants of ours


def load_all(folder: Path = FOLDER) -> int:
    """Load every file that is closed or whose process is gone. Returns the records loaded.

    No file keeps those behind it waiting. Raises OperationalError or InterfaceError when the
    database is away.
    """
    if not folder.is_dir():
        return 0
    sweep(folder)
    found = (path for path in sorted(folder.iterdir()) if path.suffix in (OPEN, READY))
    return sum(map(_load_or_pass, found))


def _load_or_pass(path: Path) -> int:
    try:
        return load(path)
    except DATABASE_AWAY:
        raise
    except (Error, OSError):  # the database's trouble or the disk's, not the file's: it may pass
        log.exception("journal_not_loaded", file=path.name)
    except Exception:
        log.exception("journal_set_aside", file=path.name)
        path.rename(path.with_suffix(BAD))
    return 0


def load(path: Path) -> int:
    """Load one file and remove it; returns the records loaded. 0 when another process holds it.

    The file goes only after its records are committed; a crash in between loads it again, and
    the records' ids make that harmless. A file with a record that can't be kept is set aside as
    ``.bad`` when all others of it are loaded: it must not stand in the way of the files behind.
    """
    with held(path) as data:
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


def _insert(rows: list[Record]) -> int:
    """By organisation, so that each insert is inside its tenant's walls. Returns how many rows
    PostgreSQL does not take."""
    by_organisation: dict[UUID, list[Record]] = defaultdict(list)
    for row in rows:
        by_organisation[row.organisation_id].append(row)
    return sum(_insert_of(*item) for item in by_organisation.items())


def _insert_of(organisation: UUID, rows: list[Record]) -> int:
    try:
        with scope(organisation), connection.cursor() as cursor:
            cursor.execute(_INCOMING)
            cursor.execute("DELETE FROM pg_temp.journaled")
            with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(_INSERT)
    except (DataError, IntegrityError, ValueError) as error:
        if isinstance(error.__cause__, ForeignKeyViolation):  # the organisation was deleted
            log.warning("journal_of_nobody", organisation=str(organisation), records=len(rows))
            return 0  # meanwhile, and its records with it
        if len(rows) == 1:
            log.error("record_refused", id=str(rows[0].id), error=str(error))
            return 1
        half = len(rows) // 2
        return _insert_of(organisation, rows[:half]) + _insert_of(organisation, rows[half:])
    return 0


def _row(record: bytes) -> Record | None:
    """The record's columns; None when it is not one that a server of ours writes."""
    try:
        return read(record)
    except ValueError as error:
        log.error("record_unreadable", error=repr(error)[:200])
        return None
