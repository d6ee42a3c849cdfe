"""Uploads on their way in: to a temporary file, bounded in bytes, hashed as they stream."""

import hashlib
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler
from django.http import HttpRequest

from portal.errors import Invalid, TooLarge
from portal.lanes import API

KEPT = timedelta(days=1)  # no request and no task takes that long
LIMITS: dict[str, int] = {
    "artifact": settings.MAX_ARTIFACT_BYTES,
    "sample": settings.MAX_SAMPLE_BYTES,
    "file": settings.MAX_JOB_BYTES,
}


@dataclass(frozen=True, slots=True)
class Received:
    """A file that came in whole: where it lies until the request ends, and what it is."""

    path: Path
    filename: str
    size: int
    sha256: str


class HashingUploadHandler(TemporaryFileUploadHandler):
    """Django upload handler: each file lands in FILE_UPLOAD_TEMP_DIR, hashed on the way.

    Nothing is parsed here and nothing of a file is held in memory. A part beyond its limit stops
    being read and is noted on the request, where ``received`` finds it. Files that come from
    nobody known are not taken at all: any page with a form would fill the disk for them.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        if not _is_known(self.request):
            raise StopUpload(connection_reset=True)
        super().new_file(*args, **kwargs)
        self._hash = hashlib.sha256()
        self._limit = LIMITS.get(self.field_name or "", settings.MAX_SAMPLE_BYTES)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        if start + len(raw_data) > self._limit:
            self.request.too_large = self.field_name  # type: ignore[union-attr]  # ours
            raise StopUpload(connection_reset=False)
        self._hash.update(raw_data)
        return super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> "UploadedFile[Any] | None":
        file = super().file_complete(file_size)
        if file is not None:
            file.sha256 = self._hash.hexdigest()  # type: ignore[attr-defined]  # ours
        return file


def _is_known(request: HttpRequest | None) -> bool:
    """Does somebody send this whom we know? The API looks at the key before it reads a body."""
    if request is None:
        return False
    return request.path_info.startswith(API) or getattr(request, "caller", None) is not None


def received(request: HttpRequest, name: str) -> Received | None:
    """The uploaded file in the field ``name``, or None when the field is empty.

    Raises TooLarge when any part went over its limit, Invalid when the file is empty.
    """
    file = request.FILES.get(name)  # parses the body, so it comes before the next question
    if field := getattr(request, "too_large", None):
        limit = LIMITS.get(field, settings.MAX_SAMPLE_BYTES) // 1024**2
        raise TooLarge(f"“{field}” is larger than the {limit:,} MB taken here.")
    if file is None:
        return None
    assert isinstance(file, TemporaryUploadedFile)
    if not file.size:
        raise Invalid.field(name, "empty_file", f"The file “{file.name}” is empty.")
    file.flush()
    return Received(
        path=Path(file.temporary_file_path()),
        filename=Path(file.name or name).name[:200],
        size=file.size,
        sha256=file.sha256,  # type: ignore[attr-defined]  # ours
    )


def required(request: HttpRequest, name: str) -> Received:
    """``received``, for a field that must be there. Raises Invalid when it is not."""
    file = received(request, name)
    if file is None:
        raise Invalid.field(
            name, "required", f"Send the file as the multipart form field “{name}”."
        )
    return file


def forget_old() -> int:
    """Remove what processes that were killed left in FILE_UPLOAD_TEMP_DIR; returns how much."""
    before = time.time() - KEPT.total_seconds()
    removed = 0
    for path in list(settings.FILE_UPLOAD_TEMP_DIR.iterdir()):
        with suppress(FileNotFoundError):  # its request just ended
            if path.stat().st_mtime < before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed += 1
    return removed
