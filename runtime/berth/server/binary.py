"""Tensors as bytes: the binary tensor data extension.

https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md: behind
the JSON, in the order in which it names them, without padding, little-endian; a text is its length
in four bytes and its UTF-8.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from berth.server.datatypes import STORED, TEXT
from berth.server.errors import bad

HEADER = "inference-header-content-length"  # the JSON's bytes; what follows is binary
_LENGTH = struct.Struct("<I")


def unpacked(name: str, datatype: str, count: int, blob: memoryview) -> list[Any]:
    """A tensor's `count` elements as Python values; NaN, its sign of a missing one, as None.

    Raises ProtocolError 400 when the bytes are not those of such a tensor.
    """
    if datatype == TEXT:
        return _texts(name, count, blob)
    stored = STORED[datatype]
    if len(blob) != count * stored.itemsize:
        due = f"{count} × {stored.itemsize} bytes of {datatype}"
        raise bad(f'The input "{name}" has {len(blob)} bytes where its shape asks for {due}.')
    if datatype == "BOOL":  # any byte but zero is true; as numpy's bool it would stay undefined
        return [byte != 0 for byte in blob]
    array = np.frombuffer(blob, stored)
    values: list[Any] = array.tolist()
    if stored.kind == "f" and np.isnan(array).any():
        return [None if value != value else value for value in values]
    return values


def _texts(name: str, count: int, blob: memoryview) -> list[Any]:
    texts: list[Any] = []
    at, end = 0, len(blob)
    while at + _LENGTH.size <= end and len(texts) < count:
        (length,) = _LENGTH.unpack_from(blob, at)
        at += _LENGTH.size
        if length > end - at:
            raise bad(f'A text of the input "{name}" is longer than what is left of its bytes.')
        texts.append(_decoded(name, blob[at : at + length]))
        at += length
    if at != end or len(texts) != count:
        raise bad(f'The bytes of the input "{name}" are not the {count} texts of its shape.')
    return texts


def _decoded(name: str, text: memoryview) -> str:
    try:
        return str(text, "utf-8")
    except UnicodeDecodeError as error:
        raise bad(f'A text of the input "{name}" is no UTF-8: {error.reason}.') from error


def packed(datatype: str, values: NDArray[Any] | Sequence[Any]) -> bytes:
    """The elements as the extension writes them."""
    if datatype == TEXT:
        return b"".join(_framed(values))
    return np.ascontiguousarray(values, STORED[datatype]).tobytes()


def _framed(values: Iterable[Any]) -> Iterable[bytes]:
    for value in values:
        text = str(value).encode()
        yield _LENGTH.pack(len(text))
        yield text
