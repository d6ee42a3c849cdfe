"""A job's file out of the organisation's own folder into our storage, where it never changes."""

import hashlib
import tempfile
from pathlib import Path

from django.conf import settings

from models_hub import incoming
from models_hub.quarantine import hold
from models_hub.quota import require_room
from models_hub.storage import reached
from portal.errors import BerthError, Invalid, TooLarge
from portal.tenancy import scope
from portal.uploads import Received
from workers.claims import owned
from workers.models import Chunk
from workers.reading import UnreadableFile
from workers.recognition import check_size, recognise

PIECE = 1024**2


def fetch(chunk: Chunk) -> None:
    """Copy the job's source and note its digest, size and format on the job.

    Raises UnreadableFile when it is gone or is no table, Overtaken, Unavailable.
    """
    settings.FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
        try:
            received = _copied(chunk, Path(copy.name))
            _keep(chunk, received)
        except (Invalid, TooLarge) as error:
            raise UnreadableFile(_code(error), error.detail) from error


def _copied(chunk: Chunk, path: Path) -> Received:
    job = chunk.job
    with scope(chunk.organisation_id):
        source = incoming.opened(job.source)
    digest, size = hashlib.sha256(), 0
    with source, path.open("wb") as target, reached():
        while piece := source.read(PIECE):
            size += len(piece)
            check_size(size)
            digest.update(piece)
            target.write(piece)
    if not size:
        raise UnreadableFile("empty", "The file is empty: it has no header and no rows.")
    return Received(path, job.filename, size, digest.hexdigest())


def _keep(chunk: Chunk, received: Received) -> None:
    job = chunk.job
    job.format = recognise(received.path, received.filename)
    with owned(chunk):
        require_room(received.size)
        hold(received)
        job.sha256, job.size = received.sha256, received.size
        job.save(update_fields=["format", "sha256", "size"])


def _code(error: BerthError) -> str:
    """The most telling code that there is."""
    return error.errors[0].code if error.errors else error.kind
