"""Journals that model servers ship: kept as our own are, for the loader to bring in."""

import os
from hashlib import sha256
from uuid import UUID

import structlog
from uuid_utils import uuid7

from berth.journal import READY, line_of, records_of, sync_folder
from portal.errors import Invalid, Unavailable
from portal.servers import Server
from predictions import loading
from predictions.records import read

log = structlog.get_logger()


def receive(server: Server, name: UUID, data: bytes) -> None:
    """Keep a journal file's records; on return they are on the disk. Twice is once, by the
    records' ids; the content is part of the name that it is kept under, so that nothing else
    which comes under its name takes its place.

    What is whole and the server's to send is kept for loading. Where there is more than that, the
    whole file is set aside beside it. Raises Invalid when nothing is left to keep; Unavailable
    when the disk refuses.
    """
    records, _, damaged = records_of(data)
    own = [record for record in records if _is_of(server, record)]
    if data and not records:
        raise Invalid("The body holds no whole record of a journal.", code="bad_journal")
    if data and not own:
        detail = "No record is of an organisation that this key or token speaks for."
        raise Invalid(detail, code="foreign_record")
    try:
        if damaged or len(own) < len(records):
            refused = {"damaged": damaged, "foreign": len(records) - len(own)}
            log.error("shipped_journal_set_aside", file=str(name), server=server.id, **refused)
            _write(name, data, loading.BAD)
        if own:
            _write(name, b"".join(map(line_of, own)), READY)
    except OSError as error:
        raise Unavailable("Records can't be kept just now.", code="journal_unavailable") from error


def _is_of(server: Server, record: bytes) -> bool:
    try:
        organisation_id = read(record).organisation_id
    except ValueError:
        return False
    return server.organisation_id in (None, organisation_id)


def _write(name: UUID, data: bytes, suffix: str) -> None:
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
        os.replace(half, folder / f"{name}-{sha256(data).hexdigest()[:32]}{suffix}")
    except OSError:
        half.unlink(missing_ok=True)
        raise
    sync_folder(folder)
