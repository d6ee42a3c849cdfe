"""Where bytes lie: content-addressed files, each below its organisation.

A name is made from the SHA-256 of what is stored, so storing twice is storing once and a name
never changes its content. Behind it is whatever ``STORAGE_URL`` says (a folder, or S3).
"""

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from portal.errors import Unavailable

PIECE = 256 * 1024
AWAY = "The storage can't be reached just now."


@contextmanager
def reached(detail: str = AWAY) -> Iterator[None]:
    """What goes wrong between us and the storage (or its disk) is Unavailable."""
    try:
        yield
    except (OSError, BotoCoreError, ClientError) as error:
        raise Unavailable(detail) from error


def _name(organisation_id: UUID, sha256: str) -> str:
    return f"{organisation_id}/{sha256[:2]}/{sha256}"


def put_file(organisation_id: UUID, sha256: str, path: Path) -> None:
    """Store the file at ``path`` under its digest; on return it survives a crash.

    Raises Unavailable when the storage can't be reached or its disk is full.
    """
    with path.open("rb") as stream:
        _store(_name(organisation_id, sha256), stream)


def put_bytes(organisation_id: UUID, data: bytes) -> str:
    """Store ``data``; returns its SHA-256. Raises Unavailable as ``put_file`` does."""
    sha256 = hashlib.sha256(data).hexdigest()
    _store(_name(organisation_id, sha256), io.BytesIO(data))
    return sha256


@reached()
def _store(name: str, stream: IO[bytes]) -> None:
    if default_storage.exists(name):
        return
    try:
        final = Path(default_storage.path(name))
    except NotImplementedError:  # an object store acknowledges only what is stored whole
        default_storage.save(name, File(stream))
    else:
        _store_on_disk(final, stream)


def _store_on_disk(final: Path, stream: IO[bytes]) -> None:
    """A name appears only with its whole content, and both are on the disk when we return."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=final.parent, delete=False) as half:
        try:
            shutil.copyfileobj(stream, half, 1024**2)
            half.flush()
            os.fsync(half.fileno())
            os.replace(half.name, final)
        except OSError:  # on a full disk what was written of it is in the way of all others
            os.unlink(half.name)
            raise
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_stored(organisation_id: UUID, sha256: str) -> IO[bytes]:
    """The stored file, open for reading. Raises Unavailable when the storage lacks it."""
    with reached("The storage does not have this file just now."):
        return default_storage.open(_name(organisation_id, sha256), "rb")


def pieces(organisation_id: UUID, sha256: str, start: int, stop: int) -> Iterator[bytes]:
    """The stored file's bytes from ``start`` up to ``stop``, in pieces, unchecked. The file is
    found before this returns. Raises Unavailable when the storage lacks it."""
    stream = open_stored(organisation_id, sha256)
    with reached():
        if remote := getattr(stream, "obj", None):  # S3: only what is asked for leaves it
            stream.close()
            stream = remote.get(Range=f"bytes={start}-{stop - 1}")["Body"]
        else:
            stream.seek(start)
    return _pieces(stream, stop - start)


def _pieces(stream: IO[bytes], left: int) -> Iterator[bytes]:
    with closing(stream):
        while left > 0 and (piece := stream.read(min(left, PIECE))):
            left -= len(piece)
            yield piece


def read_stored(organisation_id: UUID, sha256: str) -> bytes:
    """The stored file's bytes, checked against its name. Raises Unavailable when they are off."""
    with open_stored(organisation_id, sha256) as stream, reached():
        data = stream.read()
    _check(hashlib.sha256(data).hexdigest(), sha256)
    return data


def _check(found: str, sha256: str) -> None:
    if found != sha256:
        raise Unavailable("A stored file does not match its digest any more.", code="corrupt")


@contextmanager
def local_copy(organisation_id: UUID, sha256: str, suffix: str = "") -> Iterator[Path]:
    """A private copy on this machine's disk, checked against its name, gone afterwards.

    Raises Unavailable as ``read_stored`` does.
    """
    suffix = suffix if suffix.isascii() else ""  # a file's name has at most 255 bytes
    settings.FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR, suffix=suffix) as copy:
        with open_stored(organisation_id, sha256) as stream, reached():
            shutil.copyfileobj(stream, copy, 1024**2)
            copy.flush()
            copy.seek(0)
            digest = hashlib.file_digest(copy, "sha256")
        _check(digest.hexdigest(), sha256)
        yield Path(copy.name)


def delete(organisation_id: UUID, sha256: str) -> None:
    """Forget the file; nothing happens when it is gone already."""
    with reached():
        default_storage.delete(_name(organisation_id, sha256))


def delete_all(organisation_id: UUID) -> None:
    """Forget all files of an organisation; again is once. Raises Unavailable."""
    with reached():
        _delete_below(str(organisation_id))


def _delete_below(folder: str) -> None:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in folders:
        _delete_below(f"{folder}/{name}")
    for name in files:
        default_storage.delete(f"{folder}/{name}")
    default_storage.delete(folder)  # a disk's empty folder; an object store has none


def is_reachable() -> bool:
    """Whether the storage answers. A missing object is an answer."""
    try:
        default_storage.exists("berth-is-reachable")
    except Exception:  # noqa: BLE001  # each backend has its own family; all mean "no"
        return False
    return True
