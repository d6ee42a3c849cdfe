"""Files that an organisation put into the storage itself, for jobs to be made of.

They lie below ``incoming/<the organisation's slug>/`` of what ``STORAGE_URL`` names. Whoever runs
the installation lets an organisation write there (a bucket policy, a share); nothing here writes
or deletes. Outside of this module such a file is called ``incoming/NAME``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.core.files.storage import default_storage

from models_hub.storage import reached
from portal.errors import Invalid
from portal.models import Organisation
from portal.tenancy import current

FOLDER = "incoming"
MOST_LISTED = 200
_MOST_LOOKED_AT = 10_000
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file there: what it is called, its bytes, when it was written last."""

    source: str
    size: int
    modified: datetime

    @property
    def filename(self) -> str:
        return self.source.rpartition("/")[2]


def listed() -> list[Incoming]:
    """The files of the organisation in scope, the newest first, at most MOST_LISTED of them.
    Raises Unavailable."""
    with reached():
        found = islice(_all(_folder()), _MOST_LOOKED_AT)
        return nlargest(MOST_LISTED, found, key=lambda file: file.modified)


def find(source: str) -> Incoming:
    """The file of this name. Raises Invalid when there is none, or when the name would lead out
    of the organisation's folder; Unavailable."""
    name = _name(source)
    with reached():
        try:
            if not (is_remote() or _local(name).is_file()):
                raise FileNotFoundError(name)
            return Incoming(
                source, default_storage.size(name), default_storage.get_modified_time(name)
            )
        except FileNotFoundError as error:
            raise _none(source) from error


def opened(source: str) -> IO[bytes]:
    """The file, open for reading. Raises as ``find`` does."""
    name = _name(source)
    with reached():
        try:
            return default_storage.open(name, "rb") if is_remote() else _local(name).open("rb")
        except FileNotFoundError as error:
            raise _none(source) from error


def is_remote() -> bool:
    """Whether the storage is a bucket, and no folder."""
    return hasattr(default_storage, "bucket")


def folder() -> str:
    """Where the organisation in scope puts its files, as people say it."""
    bucket: Any = getattr(default_storage, "bucket", None)
    if bucket is None:
        return f"{default_storage.path(_folder())}/"
    return f"s3://{bucket.name}/{_prefix(_folder())}"


def _prefix(folder: str) -> str:
    """The folder's keys in the bucket begin so."""
    storage: Any = default_storage
    return "/".join(filter(None, (storage.location.strip("/"), folder, ""))) + "/"


def _folder() -> str:
    return f"{FOLDER}/{Organisation.objects.get(pk=current()).slug}"


def _name(source: str) -> str:
    """The storage's name of a source; a way out of the folder is none."""
    first, *rest = source.split("/")
    plain = all(part not in ("", ".", "..") for part in rest) and rest
    if first != FOLDER or not plain or len(source) > _LONGEST or {"\\", "\0"} & set(source):
        raise Invalid.field(
            "source", "bad_source", f"“source” is the name of a file, such as {FOLDER}/people.csv."
        )
    return "/".join((_folder(), *rest))


def _local(name: str) -> Path:
    """The file on this machine. Raises FileNotFoundError for one that lies elsewhere, whatever
    links lead to it."""
    path = Path(default_storage.path(name)).resolve()
    if not path.is_relative_to(Path(default_storage.path(_folder())).resolve()):
        raise FileNotFoundError(name)
    return path


def _none(source: str) -> Invalid:
    return Invalid.field("source", "no_such_source", f"There is no “{source}” in your folder.")


def _all(folder: str) -> Iterator[Incoming]:
    if is_remote():
        yield from _in_bucket(folder)
        return
    root = Path(default_storage.path(folder))
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            about = path.stat()
            name = f"{FOLDER}/{path.relative_to(root).as_posix()}"
            yield Incoming(name, about.st_size, datetime.fromtimestamp(about.st_mtime, UTC))


def _in_bucket(folder: str) -> Iterator[Incoming]:
    storage: Any = default_storage
    prefix = _prefix(folder)
    for item in storage.bucket.objects.filter(Prefix=prefix):
        if name := item.key.removeprefix(prefix):
            yield Incoming(f"{FOLDER}/{name}", item.size, item.last_modified)
