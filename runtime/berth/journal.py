"""Every answered live prediction, on disk before it is sent.

Each process that answers (the portal's web processes, model servers) appends to a file of its
own, before it answers, so that ``kill -9`` right after an answer loses nothing; a timer syncs
the file, and closes it for loading when it is old or large. The portal's loader puts closed and
orphaned files into PostgreSQL by the records' UUIDv7, so that loading twice is loading once; a
model server ships its closed files to the portal.

A record is a line: CRC-32 of the rest in hexadecimal, a space, and three JSON texts with a
SEPARATOR between them: what names the call, what was asked, what was answered. The texts stay
as they are on their way to the database: a thousand rows are never parsed again. A torn last line
(a crash in the middle of a write) fails its checksum and belongs to an answer that was never sent.
"""

import fcntl
import logging
import os
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uuid_utils

log = logging.getLogger("berth.journal")
NEW, OPEN, READY = ".new", ".open", ".ready"
MOST_SHIPPED = 32 * 1024**2  # bytes that the portal takes in one piece
_ORPHANED = 60.0  # seconds; a file becomes an open one at once, or its process died
SEPARATOR = b"\x1f"  # JSON has no place for it but inside a text, and there only escaped


class Journal:
    """This process's journal in ``folder``. Thread-safe; opens its file at the first record."""

    def __init__(
        self,
        folder: Path,
        *,
        most_bytes: int = 8 * 1024**2,
        most_seconds: float = 1.0,
        sync_seconds: float = 0.2,
    ) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self.most_seconds = most_seconds
        self.sync_seconds = sync_seconds
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._path = folder
        self._size = 0
        self._opened = 0.0
        self._synced = 0

    def append(self, *records: bytes) -> None:
        """Write records (JSON), all of them or none. Raises OSError when the disk refuses; then
        the answers must not be sent."""
        # in JSON a line break is nothing but space
        lines = b"".join([line_of(record.replace(b"\n", b" ")) for record in records])
        with self._lock:
            if self._size and self._size + len(lines) > self.most_bytes:
                self._give_up()
            if self._descriptor is None:
                self._open()
            assert self._descriptor is not None
            written = os.write(self._descriptor, lines)
            if written != len(lines):
                self._take_back(self._descriptor)
                raise OSError(f"The journal took {written} of {len(lines)} bytes.")
            self._size += written

    def _take_back(self, descriptor: int) -> None:
        """Cut a half record off. Where that fails too, the file ends with it, as after a crash:
        nothing may come behind it."""
        try:
            os.ftruncate(descriptor, self._size)
        except OSError as error:
            log.error("The journal %s ends with half a record: %s", self._path.name, error)
            self._give_up()

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        new = (
            self.folder / f"{uuid_utils.uuid7()}{NEW}"
        )  # no loader looks at it before it is locked
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(new, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # freed by the kernel when we die
            self._path = new.rename(new.with_suffix(OPEN))
            sync_folder(self.folder)  # a file that no folder names is lost with all its records
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._size = self._synced = 0
        self._opened = time.monotonic()
        threading.Thread(target=self._tend, args=(self._path, descriptor), daemon=True).start()

    def _tend(self, path: Path, descriptor: int) -> None:
        """Sync while records come; close the file for loading when it is due."""
        while True:
            time.sleep(self.sync_seconds)
            with self._lock:
                if self._descriptor is None or self._path != path:
                    return  # a file of its own has a number that was another's
                due = time.monotonic() - self._opened > self.most_seconds
                if due or self._size > self.most_bytes:
                    self._descriptor, self._size = None, 0
                    break
                dirty = self._size > self._synced
                self._synced = self._size
            if dirty:
                _sync(descriptor)
        _hand_over(path, descriptor)  # the next record opens a file of its own meanwhile

    def close(self) -> None:
        """Hand over what there is: at the end of the process, and in tests."""
        with self._lock:
            self._give_up()

    def _give_up(self) -> None:
        """Hand the file over; the next record opens another."""
        if self._descriptor is not None:
            _hand_over(self._path, self._descriptor)
            self._descriptor, self._size = None, 0


def _hand_over(path: Path, descriptor: int) -> None:
    """Synced first. Whatever a failing disk says, the lock is given up, so that the file is
    loaded like a dead process's."""
    try:
        _sync(descriptor)
        os.rename(path, path.with_suffix(READY))
    except OSError as error:
        log.error("The journal %s was not handed over: %s", path.name, error)
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    """A sync that fails is told and tried again with what comes next."""
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        log.error("A journal was not synced: %s", error)


def sync_folder(folder: Path) -> None:
    """Put the names in the folder on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove the files of processes that died before they wrote anything. Raises OSError."""
    for path in folder.glob(f"*{NEW}"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _ORPHANED:
                path.unlink()


def line_of(record: bytes) -> bytes:
    """A record (without line breaks) as it stands in a file."""
    return b"%08x %s\n" % (zlib.crc32(record), record)


def records_of(data: bytes) -> tuple[list[bytes], int, int]:
    """The whole records of a journal file; how many torn ones are its tail (0 or 1), and how many
    damaged ones lie before it. Nothing that is whole is given up for what is not."""
    *lines, tail = data.split(b"\n")
    records = [record for record in map(_whole, lines) if record]
    return records, int(bool(tail)), len(lines) - len(records)


def _whole(line: bytes) -> bytes:
    """The line's record; empty when its checksum says that it is not what was written."""
    checksum, _, record = line.partition(b" ")
    return record if b"%08x" % zlib.crc32(record) == checksum else b""


@contextmanager
def held(path: Path) -> Iterator[bytes | None]:
    """A journal file's content, held from everybody else; None while the process that writes it
    lives or another reader has it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # another was faster, or it was closed just now, under its other name
        yield None
        return
    with os.fdopen(descriptor, "rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield stream.read() if path.exists() else None
