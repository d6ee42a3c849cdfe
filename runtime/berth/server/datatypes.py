"""The protocol's datatypes: what a JSON element of each may be, and how each is stored in bytes.

https://github.com/kserve/open-inference-protocol, "Tensor Data Types".
"""

from types import NoneType

import numpy as np

from berth.field import Field, Scalar

TEXT = "BYTES"
#: How numpy reads a binary tensor of the type: little-endian, without padding.
STORED: dict[str, np.dtype[np.generic]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
KNOWN = (*STORED, TEXT)


def _elements(name: str) -> frozenset[type]:
    """The JSON values that a tensor of the type may hold; null is for the signature to judge."""
    if name == TEXT:
        return frozenset({str, NoneType})
    if name == "BOOL":
        return frozenset({bool, NoneType})
    return frozenset({int, NoneType} if "INT" in name else {int, float, NoneType})


ELEMENTS = {name: _elements(name) for name in KNOWN}
#: The lowest and the highest whole number that the type holds.
BOUNDS = {
    f"{sign}INT{bits}": (low * 2 ** (bits - 1), 2 ** (bits - (low < 0)) - 1)
    for sign, low in (("", -1), ("U", 0))
    for bits in (8, 16, 32, 64)
}


def of_field(field: Field) -> str:
    """The datatype under which a column is described.

    A column of whole numbers that may be missing is FP64: NaN is how a binary tensor says so.
    """
    if field.type == "string":
        return TEXT
    if field.type == "boolean":
        return "BOOL"
    return "INT64" if field.type == "integer" and not field.nullable else "FP64"


def of_labels(labels: tuple[Scalar, ...]) -> str:
    """The datatype of a classification's answer: BYTES where its labels are of several kinds."""
    kinds = set(map(type, labels))
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64"
    return "FP64" if kinds <= {int, float} else TEXT
