"""Which kind of file somebody sent: by its name, checked against its first bytes."""

import zlib
from pathlib import Path

from django.conf import settings

from portal.errors import Invalid, TooLarge

ENDINGS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_FOREIGN = {
    b"PK\x03\x04": "a zip file (or a spreadsheet). In a spreadsheet, save as “CSV UTF-8”",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet. Save it as “CSV UTF-8”",
    b"%PDF": "a PDF. Send the table as CSV",
    b"7z\xbc\xaf": "a 7-Zip archive. Send it plain or as gzip",
    b"BZh": "a bzip2 file. Send it plain or as gzip",
    b"\x28\xb5\x2f\xfd": "a Zstandard file. Send it plain or as gzip",
}


def check_size(size: int) -> None:
    """Raises TooLarge for a file that no job takes."""
    if size > settings.MAX_JOB_BYTES:
        most = settings.MAX_JOB_BYTES // 1024**2
        raise TooLarge(f"The file is larger than the {most:,} MB that a job takes.")


def kind_of(filename: str) -> str:
    """What a file should be by its name alone, as ``recognise`` says it. Raises Invalid."""
    name = filename.lower()
    kind = ENDINGS.get(Path(name.removesuffix(".gz")).suffix)
    if kind is None:
        raise _refused("wrong_ending", "The file's name must end in .csv, .parquet or .jsonl")
    return f"{kind}.gz" if name.endswith(".gz") else kind


def recognise(path: Path, filename: str) -> str:
    """``csv``, ``parquet`` or ``jsonl``, with ``.gz`` behind where it is packed.

    Raises Invalid for another ending and for content that belies the name.
    """
    name = filename.lower()
    kind = kind_of(filename).removesuffix(".gz")
    with path.open("rb") as stream:
        head = stream.read(64 * 1024)
    packed = head.startswith(_GZIP)
    if name.endswith(".gz") and not packed:
        raise _refused("not_gzip", "The file's name ends in .gz, but its content is not gzip")
    head = _unpacked(head) if packed else head
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        head = head.decode("utf-16", errors="replace").encode(errors="replace")
    _check_content(head, kind)
    return f"{kind}.gz" if packed else kind


def _check_content(head: bytes, kind: str) -> None:
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise _refused("wrong_format", f"This is {what}")
    if head.startswith(_PARQUET) and kind != "parquet":
        raise _refused("wrong_format", "This is Parquet; its name must end in .parquet")
    if kind == "parquet" and not head.startswith(_PARQUET):
        raise _refused("wrong_format", "The name ends in .parquet, but the content is not Parquet")
    if kind == "jsonl" and head.lstrip().startswith(b"["):
        raise _refused("wrong_format", "This is one JSON list; JSON lines has an object a line")


def _unpacked(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 4096)
    except zlib.error as error:
        raise _refused("bad_gzip", f"The gzip file is damaged ({error})") from error


def _refused(code: str, detail: str) -> Invalid:
    return Invalid.field("file", code, f"{detail}.")
