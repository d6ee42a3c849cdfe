"""Rows and answers as bytes on the way between a portal and a native model's process.

The signature says what comes, so there are no names and no types among the bytes. All numbers are
little endian. A question is its number (u64), the count of rows (u32), and for each input in the
signature's order n float64, or for a text the lengths in bytes (n u32) and then the texts in
UTF-8. An answer is the question's number, the count of rows, one byte that says whether there are
probabilities, n float64 (a regression) or n u32 places in the signature's labels, and then
n x k float64 in the labels' order. Nobody unpickles anything.
"""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from berth.predictions import Predictions
from berth.signature import Scalar, Signature

_QUESTION = struct.Struct("<QI")
_ANSWER = struct.Struct("<QIB")
_NUMBER, _PLACE = np.dtype("<f8"), np.dtype("<u4")
Columns = Mapping[str, NDArray[Any]]


class Misfit(ValueError):
    """The bytes are not what the signature and the question ask for."""


class Cursor:
    """Takes arrays off the bytes; raises `Misfit` where there are too few, or some left over."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def array(self, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        raw = self.raw(dtype.itemsize * count)
        return np.frombuffer(raw, dtype)

    def raw(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise Misfit("It is too short.")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def end(self) -> None:
        if self._at != len(self._data):
            raise Misfit("It is too long.")


def pack_question(number: int, signature: Signature, columns: Columns) -> bytes:
    """Coerced columns ([n, 1], float64 or object of str) as the bytes of question `number`."""
    rows = len(columns[signature.inputs[0].name])
    parts = [_QUESTION.pack(number, rows)]
    for field in signature.inputs:
        values = columns[field.name].reshape(rows)
        if field.type != "string":
            parts.append(values.astype(_NUMBER, copy=False).tobytes())
            continue
        texts = [text.encode() for text in values.tolist()]
        parts.append(np.fromiter(map(len, texts), _PLACE, rows).tobytes())
        parts += texts
    return b"".join(parts)


def unpack_question(signature: Signature, data: bytes) -> tuple[int, dict[str, NDArray[Any]]]:
    """The question's number and its columns. Raises `Misfit`."""
    number, rows = _head(_QUESTION, data)
    cursor = Cursor(data, _QUESTION.size)
    columns: dict[str, NDArray[Any]] = {}
    for field in signature.inputs:
        if field.type != "string":
            columns[field.name] = cursor.array(_NUMBER, rows).reshape(rows, 1)
            continue
        lengths = cursor.array(_PLACE, rows).tolist()
        texts = np.empty((rows, 1), dtype=object)
        texts[:, 0] = [_text(cursor.raw(length)) for length in lengths]
        columns[field.name] = texts
    cursor.end()
    return number, columns


def _head(form: struct.Struct, data: bytes) -> tuple[Any, ...]:
    if len(data) < form.size:
        raise Misfit("It is too short.")
    return form.unpack_from(data)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Misfit("A text is no UTF-8.") from error


def pack_answer(
    number: int, signature: Signature, values: NDArray[Any], probabilities: NDArray[Any] | None
) -> bytes:
    """What a model said to question `number`: `values` [n] (numbers or labels) and perhaps
    `probabilities` [n, k]. Raises `Misfit` for a label that the signature does not know."""
    parts = [_ANSWER.pack(number, len(values), probabilities is not None)]
    labels = signature.output.labels
    if labels is None:
        parts.append(values.astype(_NUMBER).tobytes())
    else:
        places = {label: place for place, label in enumerate(labels)}
        try:
            found = [places[label] for label in values.tolist()]
        except (KeyError, TypeError) as error:
            raise Misfit(f"The model answered a label that is not its own: {error}.") from error
        parts.append(np.array(found, _PLACE).tobytes())
    if probabilities is not None:
        parts.append(probabilities.astype(_NUMBER).tobytes())
    return b"".join(parts)


def unpack_answer(number: int, rows: int, signature: Signature, data: bytes) -> Predictions:
    """The answer to question `number` of `rows` rows, read as what a stranger says: its numbers
    may be NaN or infinite, all else is checked. Raises `Misfit`."""
    claimed, count, has_chances = _head(_ANSWER, data)
    if (claimed, count) != (number, rows):
        raise Misfit("It answers another question.")
    labels = signature.output.labels
    cursor = Cursor(data, _ANSWER.size)
    values = cursor.array(_NUMBER if labels is None else _PLACE, rows)
    chances = None
    if has_chances:
        if labels is None:
            raise Misfit("A regression has no probabilities.")
        chances = cursor.array(_NUMBER, rows * len(labels)).reshape(rows, len(labels))
    cursor.end()
    if labels is None:
        return Predictions(values)
    if rows and int(values.max()) >= len(labels):
        raise Misfit("It names a label that there is not.")
    return Predictions(_named(labels)[values], chances, labels)


def _named(labels: tuple[Scalar, ...]) -> NDArray[Any]:
    """The labels as an array: int64 for whole numbers, else objects."""
    if all(type(label) is int for label in labels):
        return np.array(labels, dtype=np.int64)
    named = np.empty(len(labels), dtype=object)
    named[:] = labels
    return named
