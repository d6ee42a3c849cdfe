"""An inference request of the Open Inference Protocol, read into columns.

Everything is checked here that does not depend on the model: the JSON's form, shapes, datatypes,
the binary part. Whether names and values fit is the signature's to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any

import orjson

from berth.problems import shown
from berth.server import binary
from berth.server.datatypes import BOUNDS, ELEMENTS, KNOWN
from berth.server.errors import ProtocolError, bad

_MOST_NAMED = 100  # a signature has 2,000 inputs at most; a request with more outputs is a mistake
_LONGEST_NUMBER = 12  # digits of a length in bytes
Document = Mapping[str, Any]
#: Types whose elements need no look at their size: beyond INT64 a double is not exact anyway,
#: which is the signature's to refuse.
_UNBOUNDED = {name: ELEMENTS[name] for name in ("FP64", "FP32", "INT64", "BOOL", "BYTES")}


@dataclass(slots=True)
class Asked:
    """A request: its columns, equally long or not, its id, and which outputs to answer how.

    `outputs`: the names, each with whether it goes as binary data; None for all that there are,
    in the way that `binary` says.
    """

    columns: dict[str, list[Any]]
    id: str | None = None
    outputs: dict[str, bool] | None = None
    binary: bool = False


class _Blobs:
    """The binary part of a body, taken piece by piece."""

    def __init__(self, rest: memoryview) -> None:
        self._rest = rest

    def __len__(self) -> int:
        return len(self._rest)

    def take(self, size: int) -> memoryview:
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def read(body: bytes, json_length: str | None) -> Asked:
    """The request in `body`; `json_length` is the binary extension's header, where it came.

    Raises ProtocolError 400.
    """
    text, blobs = _parted(body, json_length)
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad(f"The body is no JSON: {error}.") from error
    if not isinstance(document, dict):
        raise bad('The body must be a JSON object: {"inputs": […]}.')
    parameters = _parameters(document, "The request")
    asked = Asked({}, _id(document), binary=_flag(parameters, "binary_data_output", False))
    _read_inputs(document.get("inputs"), asked.columns, blobs)
    if document.get("outputs"):
        asked.outputs = _outputs(document["outputs"], asked.binary)
    if len(blobs):
        raise bad(f"{len(blobs)} bytes of binary data belong to no input.")
    return asked


def _parted(body: bytes, json_length: str | None) -> tuple[bytes | memoryview, _Blobs]:
    whole = memoryview(body)
    if json_length is None:
        return body, _Blobs(whole[:0])
    plain = len(json_length) <= _LONGEST_NUMBER and json_length.isascii() and json_length.isdigit()
    length = int(json_length) if plain else -1
    if not 0 <= length <= len(body):
        detail = f"{binary.HEADER} must be the JSON's length in bytes, at most the body's"
        raise bad(f"{detail} {len(body)}.")
    return whole[:length], _Blobs(whole[length:])


def _id(document: Document) -> str | None:
    given = document.get("id")
    if given is not None and not isinstance(given, str):
        raise bad(f"id must be a text, but it is {shown(given)}.")
    return given


def _read_inputs(inputs: object, columns: dict[str, list[Any]], blobs: _Blobs) -> None:
    if not isinstance(inputs, list) or not inputs:
        raise bad("inputs must be a list of tensors, one for each column.")
    for item in inputs:
        plain = _plain(item)
        name = plain[0] if plain else _name(item, "input")
        if name in columns:
            raise bad(f'The input "{name}" is there twice.')
        columns[name] = plain[1] if plain else _column(name, item, blobs)


def _name(item: object, what: str) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    if not isinstance(name, str):
        raise bad(f"Each {what} must be an object with a name, a text, but one is {shown(item)}.")
    return name


def _plain(item: Any) -> tuple[str, list[Any]] | None:
    """A plain input's name and elements at once: four keys, a flat list that is not empty, each
    element as it should be.

    None sends the input through the careful reading, which alone refuses.
    """
    try:
        name, datatype, data = item["name"], item["datatype"], item["data"]
        if len(item) != 4 or item["shape"] != [len(data)] or type(data) is not list:
            return None
        kinds = _UNBOUNDED[datatype]
    except (KeyError, TypeError):  # a datatype may be a list
        return None
    if type(name) is not str or not data or not kinds.issuperset(map(type, data)):
        return None
    return name, data


def _column(name: str, item: Document, blobs: _Blobs) -> list[Any]:
    """One input's elements: Python values, null as None."""
    datatype = item.get("datatype")
    if not isinstance(datatype, str) or datatype not in ELEMENTS:
        known = ", ".join(KNOWN)
        raise bad(f'The datatype of "{name}" is {shown(datatype)}, which is none of {known}.')
    rows, nested = _shape(name, item.get("shape"))
    parameters = item.get("parameters")
    if parameters:
        size = _parameters(item, f'The input "{name}"').get("binary_data_size")
        if size is not None:
            return _binary(name, datatype, rows, size, item, blobs)
    if "data" not in item:
        raise bad(f'The input "{name}" has no data.')
    return _listed(name, datatype, rows, nested, item["data"])


def _shape(name: str, shape: object) -> tuple[int, bool]:
    """How many rows there are, and whether a second dimension, of 1, was given."""
    if isinstance(shape, list) and 0 < len(shape) < 3:
        rows = shape[0]
        if type(rows) is int and rows >= 0 and shape[1:] in ([], [1]):
            return rows, len(shape) == 2
    detail = f'The shape of "{name}" must be [n] or [n, 1]: a column of n rows'
    raise bad(f"{detail}, but it is {shown(shape)}.")


def _listed(name: str, datatype: str, rows: int, nested: bool, data: object) -> list[Any]:
    if not isinstance(data, list):
        raise bad(f'The data of "{name}" must be a list.')
    kinds = set(map(type, data))
    if list in kinds:
        data = _flat(name, data, nested)
        kinds = set(map(type, data))
    if len(data) != rows:
        detail = f'"{name}" has {len(data)} values, but its shape says {rows}'
        raise bad(f"{detail}.")
    if not kinds <= ELEMENTS[datatype]:
        raise _misfit(name, datatype, data)
    if datatype in BOUNDS and kinds != {NoneType} and data:
        _check_bounds(name, datatype, data, NoneType in kinds)
    return data


def _flat(name: str, data: list[Any], nested: bool) -> list[Any]:
    if not nested or any(type(item) is not list or len(item) != 1 for item in data):
        raise bad(f'The data of "{name}" are not nested as its shape says.')
    return [item[0] for item in data]


def _misfit(name: str, datatype: str, data: list[Any]) -> ProtocolError:
    row = next(i for i, value in enumerate(data) if type(value) not in ELEMENTS[datatype])
    return bad(f'{name}/{row}: "{name}" is {shown(data[row])}, which is no {datatype}.')


def _check_bounds(name: str, datatype: str, data: list[Any], holes: bool) -> None:
    known = [value for value in data if value is not None] if holes else data
    low, high = BOUNDS[datatype]
    if min(known) < low or max(known) > high:
        raise bad(f'"{name}" has a value out of the range of {datatype}, {low} to {high}.')


def _binary(
    name: str, datatype: str, rows: int, size: object, item: Document, blobs: _Blobs
) -> list[Any]:
    if "data" in item:
        raise bad(f'The input "{name}" has both data and binary_data_size.')
    if type(size) is not int or not 0 <= size <= len(blobs):
        detail = f'binary_data_size of "{name}" is {shown(size)}'
        raise bad(f"{detail}, but {len(blobs)} bytes of binary data are left.")
    return binary.unpacked(name, datatype, rows, blobs.take(size))


def _outputs(outputs: object, binary_default: bool) -> dict[str, bool]:
    if not isinstance(outputs, list) or len(outputs) > _MOST_NAMED:
        raise bad("outputs must be a list of objects that name the outputs wanted.")
    wanted: dict[str, bool] = {}
    for item in outputs:
        name = _name(item, "output")
        if name in wanted:
            raise bad(f'The output "{name}" is asked for twice.')
        parameters = _parameters(item, f'The output "{name}"')
        wanted[name] = _flag(parameters, "binary_data", binary_default)
    return wanted


def _parameters(document: Document, whose: str) -> Document:
    """The parameters, which the protocol lets be texts, numbers and truth values alone."""
    parameters = document.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict) or any(
        not isinstance(value, str | int | float | bool) for value in parameters.values()
    ):
        detail = "parameters must be an object of texts, numbers and truth values"
        raise bad(f"{whose}: {detail}.")
    return parameters


def _flag(parameters: Document, name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise bad(f"The parameter {name} must be true or false, but it is {shown(value)}.")
    return value
