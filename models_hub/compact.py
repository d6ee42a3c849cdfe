"""The file that a page fetches to predict on the device: what `light.js` and `heavy.js` open.

    "BRTH", the length of the header (four bytes, little endian)
    header        JSON in ASCII, padded with spaces to a multiple of eight bytes
    sections      the light lane: arrays of numbers, each at a multiple of eight bytes behind the
                  header; the heavy lane: model.onnx

The header: `format` 1, `lane` (light or heavy), `signature`, `about` (model, version and the
Bundle's digest), `check` (made rows with their answers, which the device tries first), `inputs`
(the graph's, in order), and for the light lane `constants`, `nodes` and `outputs`. It holds nothing
of anybody's sample: the file is public.
"""

import gzip
import json
import struct
from collections.abc import Mapping
from typing import Any

MAGIC = b"BRTH"
FORMAT = 1
LIGHT, HEAVY = "light", "heavy"
LARGEST = 25 << 20  # beyond, no page should make a phone load it
_PREFIX = struct.Struct("<4sI")


def pack(header: Mapping[str, Any], sections: bytes) -> bytes:
    """The file. The same content makes the same bytes."""
    text = json.dumps(
        {**header, "format": FORMAT}, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()
    text += b" " * (-(_PREFIX.size + len(text)) % 8)
    return _PREFIX.pack(MAGIC, len(text)) + text + sections


def unpack(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and sections of a file. Raises ValueError for any other bytes."""
    if len(data) < _PREFIX.size:
        raise ValueError("The file is cut off.")
    magic, length = _PREFIX.unpack_from(data)
    end = _PREFIX.size + length
    if magic != MAGIC or end > len(data):
        raise ValueError("This is no compact model.")
    header = json.loads(data[_PREFIX.size : end])
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("This compact model is of another format.")
    return header, data[end:]


def stamped(data: bytes, signature: Mapping[str, Any], about: Mapping[str, Any]) -> bytes:
    """The same model under this signature, and with these words about itself."""
    header, sections = unpack(data)
    return pack({**header, "signature": dict(signature), "about": dict(about)}, sections)


def zipped(data: bytes) -> bytes:
    """As it goes over the wire; the same bytes each time. A forest’s takes twelve times as long at
    level 9, for 4 % fewer bytes."""
    return gzip.compress(data, 5, mtime=0)
