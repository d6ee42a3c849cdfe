"""Journals that model servers ship: kept as our own are, for the loader to bring in."""

import os
from uuid import UUID

import orjson
from uuid_utils import uuid7

from berth.journal import READY, SEPARATOR, records_of
from portal.errors import Invalid, Unavailable
from portal.servers import Server
from predictions import loading
from predictions.models import JournalFile


def receive(server: Server, name: UUID, data: bytes) -> None:
    """Keep a journal file under its name; on return it is on the disk. Twice is once.

    Raises Invalid when it holds no whole record, or one of an organisation that the server may
    not speak for; Unavailable when the disk refuses.
    """
    records, _, damaged = records_of(data)
    if data and not records:
        raise Invalid("The body holds no whole record of a journal.", code="bad_journal")
    if damaged:
        raise Invalid(f"{damaged:,} records of the journal are damaged.", code="bad_journal")
    if server.organisation_id is not None:
        _require_own(server.organisation_id, records)
    if records and not JournalFile.objects.filter(name=str(name)).exists():
        try:
            _write(str(name), data)
        except OSError as error:
            raise Unavailable(
                "Records can't be kept just now.", code="journal_unavailable"
            ) from error


def _require_own(organisation_id: UUID, records: list[bytes]) -> None:
    own = str(organisation_id)
    for record in records:
        try:
            _, organisation, *_ = orjson.loads(record.partition(SEPARATOR)[0])
        except (ValueError, TypeError):
            organisation = None
        if organisation != own:
            detail = "A record is not of the organisation whose key this is."
            raise Invalid(detail, code="foreign_record")


def _write(name: str, data: bytes) -> None:
    """The file appears whole or not at all, and is on the disk when we return."""
    folder = loading.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f"{uuid7()}.part"
    try:
        descriptor = os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(half, folder / f"{name}{READY}")
    except OSError:
        half.unlink(missing_ok=True)
        raise
    kept = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(kept)
    finally:
        os.close(kept)
