"""What a caller says of a file to be scored, beside the file: read from a form's or JSON's fields.

The same names everywhere: ``key``, ``version``, ``columns``, ``encoding``, ``delimiter``,
``decimal``, ``retry_of``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from berth.problems import Problem, nearest, pointer
from berth.signature import Signature
from portal.errors import Invalid
from workers.options import DECIMALS, DELIMITERS, ENCODINGS, Options

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Order:
    """``columns``: by an input's name, the file's column. ``version``: None is the live one."""

    key: str = ""
    version: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    retry_of: UUID | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _name("key", self.key))

    def check(self, signature: Signature) -> None:
        """Raises Invalid when ``columns`` speaks of inputs that there are not."""
        known = [about.name for about in signature.inputs]
        errors = [
            Problem(pointer("columns", name), "unknown_field", _unknown(name, known))
            for name in self.columns
            if name not in known
        ]
        if errors:
            raise Invalid("“columns” names inputs that the model does not have.", errors=errors)


def read_order(fields: Mapping[str, Any]) -> Order:
    """The order in a form's or a JSON object's fields. Raises Invalid, which points at one."""
    return Order(
        key=_text(fields, "key"),
        version=_version(fields.get("version")),
        columns=_columns(fields.get("columns")),
        options=Options(
            delimiter=_chosen(fields, "delimiter", DELIMITERS),
            encoding="utf-8" if _is_utf8(fields) else _chosen(fields, "encoding", _SAME),
            decimal=_chosen(fields, "decimal", {sign: sign for sign in DECIMALS}),
        ),
        retry_of=_job(_text(fields, "retry_of")),
    )


_SAME = {name: name for name in ENCODINGS}


def _is_utf8(fields: Mapping[str, Any]) -> bool:
    return _text(fields, "encoding").casefold() in ("utf-8", "utf8", "utf-8-sig")


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = fields.get(name) or ""
    if not isinstance(text, str):
        raise Invalid.field(name, "wrong_type", f"“{name}” is a text.")
    return text.strip() if text != "\t" else text


def _chosen(fields: Mapping[str, Any], name: str, known: Mapping[str, str]) -> str:
    """A choice by its name or by itself; nothing and ``auto`` are none."""
    text = _text(fields, name)
    if text in ("", "auto") or text in known.values():
        return "" if text == "auto" else text
    found = known.get(text.casefold())
    if found is None:
        choices = ", ".join(["auto", *known])
        raise Invalid.field(name, "unknown_choice", f"“{name}” is one of {choices}.")
    return found


def _version(value: Any) -> int | None:
    if value in (None, ""):
        return None
    text = str(value)
    is_number = text.isascii() and text.isdigit() and 1 <= int(text[:10]) < 2**31
    if isinstance(value, bool | float) or not is_number:
        raise Invalid.field("version", "wrong_type", "“version” is a version's number, such as 3.")
    return int(text)


def _columns(value: Any) -> dict[str, str]:
    if isinstance(value, str) and value.strip():
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise Invalid.field("columns", "bad_json", _SHAPE) from error
    if not value:
        return {}
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
        raise Invalid.field("columns", "wrong_type", _SHAPE)
    return {name: _name("columns", column) for name, column in value.items()}


_SHAPE = (
    "“columns” is a JSON object: by the name of the model's input the name of the file's column,"
    ' such as {"education": "Years of school"}.'
)


def _name(field_name: str, name: str) -> str:
    if len(name) > LONGEST_NAME or "\0" in name:  # PostgreSQL has no text with a NUL in it
        detail = f"A column's name has at most {LONGEST_NAME} characters, and none of them is NUL."
        raise Invalid.field(field_name, "bad_text", detail)
    return name.strip()


def _job(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Invalid.field("retry_of", "wrong_type", "“retry_of” is a job's id.") from error


def _unknown(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    hint = f" Is “{near[0]}” meant?" if near else f" It has {', '.join(known[:10])}."
    return f"The model has no input “{name[:60]}”.{hint}"
