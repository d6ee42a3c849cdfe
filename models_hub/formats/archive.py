"""Rules for a zip archive from a stranger, applied before anything reads its members."""

import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from models_hub.formats.refusal import Refused

MAX_ENTRIES = 10_000
MAX_UNPACKED = 1 << 30  # bytes
MAX_RATIO = 200  # unpacked to packed; honest arrays of zeros reach some dozens
MAX_DEPTH = 100
LOCAL_FILE = b"PK\x03\x04"
END = b"PK\x05\x06"
END_BYTES = 22  # of the last record, when no comment follows it
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_OPENING, _CLOSING = [0x5B, 0x7B], [0x5D, 0x7D]  # brackets and braces
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def check(path: Path) -> list[zipfile.ZipInfo]:
    """The archive's members, if it keeps the rules; raises `Refused` if not.

    The zip must begin at byte 0 and end with the file (no polyglots), with few, plain, unique
    names, ordinary compression and a believable ratio, and each member's checksum must hold.
    """
    with path.open("rb") as file:
        if file.read(4) != LOCAL_FILE:
            raise Refused("archive_corrupt", "The file does not begin as a zip archive must.")
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - END_BYTES))
        if file.read(4) != END:
            raise _corrupt()
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(entries, path.stat().st_size)
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise _corrupt() from error
    except Exception as error:
        if type(error).__module__ in {"zlib", "struct"}:  # a broken stream shows as either
            raise _corrupt() from error
        raise
    if damaged:
        raise _corrupt()
    return entries


def read_json(path: Path, member: str, limit: int, most: Mapping[bytes, int]) -> Any:
    """A JSON member of at most `limit` bytes, nested at most `MAX_DEPTH` deep, in which each text
    of `most` stands at most so often."""
    with zipfile.ZipFile(path) as archive:
        if member not in archive.namelist():
            raise Refused("archive_corrupt", f"The archive has no {member}.")
        if archive.getinfo(member).file_size > limit:
            raise Refused("archive_bomb", f"{member} is larger than {limit >> 20} MB.")
        text = archive.read(member)
    if any(text.count(part) > times for part, times in most.items()):
        raise Refused("archive_bomb", f"{member} has more parts than a model needs.")
    _check_depth(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("archive_corrupt", f"{member} is not valid JSON.") from error


def _corrupt() -> Refused:
    return Refused("archive_corrupt", "The archive is damaged or cut short; save and upload again.")


def _check_entries(entries: list[zipfile.ZipInfo], packed: int) -> None:
    if not 1 <= len(entries) <= MAX_ENTRIES:
        raise Refused("archive_bomb", f"The archive has {len(entries)} members.")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise Refused("archive_forbidden", "The archive has two members of the same name.")
    for entry in entries:
        _check_entry(entry)
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * max(packed, 1):
        raise Refused("archive_bomb", f"The archive unpacks to {unpacked} bytes; that is too much.")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    plain = name.isprintable() and "\\" not in name and ":" not in name and len(name) <= 255
    if not plain or name.startswith("/") or len(PurePosixPath(name).parts) != 1 or name == "..":
        raise Refused("archive_forbidden", "A member's name leads out of the archive.")
    if entry.flag_bits & 1 or entry.compress_type not in METHODS:
        raise Refused("archive_forbidden", "A member is encrypted or packed in an unusual way.")
    kind = entry.external_attr >> 28
    if kind not in (0, 8):  # of the Unix file types only "regular" (8) or none at all
        raise Refused("archive_forbidden", "A member is not a plain file.")


def _check_depth(text: bytes) -> None:
    signs = np.frombuffer(_TEXTS.sub(b"", text), dtype=np.uint8)
    opening, closing = np.isin(signs, _OPENING), np.isin(signs, _CLOSING)
    depth = np.cumsum(opening.astype(np.int8) - closing.astype(np.int8), dtype=np.int64)
    if depth.max(initial=0) > MAX_DEPTH:
        raise Refused("archive_bomb", "The archive's JSON is nested too deep.")
