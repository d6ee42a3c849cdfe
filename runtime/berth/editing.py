"""A person's say over what was inferred: edits now, and edits carried to the next version."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from berth.field import EDITABLE, Field, contradictions
from berth.problems import InvalidSignature, Problem, nearest, pointer, shown

_PRESENTED = ("label", "help", "unit", "default")
_ENFORCED_BY = {"choices": ("choices",), "range": ("minimum", "maximum"), "integer": ()}


def corrected(inputs: Sequence[Field], changes: Sequence[Mapping[str, Any]]) -> tuple[Field, ...]:
    """The fields with the edits applied, each edit a mapping with `name` and editable keys.

    Raises InvalidSignature with every refused edit; pointers read `/inputs/{i}/{key}`, i
    being the position in `changes`.
    """
    result = {field.name: field for field in inputs}
    errors: list[Problem] = []
    for i, change in enumerate(changes):
        at = pointer("inputs", i)
        try:
            field = _found(result, change, at)
            result[field.name] = _edited(field, change, at)
        except InvalidSignature as refusal:
            errors += refusal.errors
    if errors:
        raise InvalidSignature(errors)
    return tuple(result.values())


def _found(known: Mapping[str, Field], change: object, at: str) -> Field:
    name = change.get("name") if isinstance(change, Mapping) else None
    if isinstance(name, str) and name in known:
        return known[name]
    near = nearest(name, known) if isinstance(name, str) else []
    hint = f' Did you mean "{near[0]}"?' if near else f" Use one of {', '.join(known)}."
    detail = f"The model has no field named {shown(name)}.{hint}"
    raise InvalidSignature([Problem(f"{at}/name", "unknown_field", detail)])


def _edited(field: Field, change: Mapping[str, Any], at: str) -> Field:
    edits = {key: value for key, value in change.items() if key != "name"}
    if foreign := [key for key in edits if key not in EDITABLE]:
        may = ", ".join(sorted(EDITABLE))
        detail = f'of "{field.name}" cannot be edited: it comes from the pipeline. Edit {may}.'
        raise InvalidSignature(
            [Problem(at + pointer(key), "not_editable", f"The {key} {detail}") for key in foreign]
        )
    edited = sorted(field.edited | edits.keys())
    return Field.from_json({**field.to_json(), **edits, "edited": edited}, at)


def inherited(inputs: Sequence[Field], previous: Sequence[Field]) -> tuple[Field, ...]:
    """The fields, each with what people said about its namesake of the same type before."""
    before = {(field.name, field.type): field for field in previous}
    return tuple(_heir(field, before.get((field.name, field.type))) for field in inputs)


def _heir(field: Field, ancestor: Field | None) -> Field:
    if ancestor is None:
        return field
    ruled = {key for rule in ancestor.enforced for key in _ENFORCED_BY[rule]}
    blank = {key for key in _PRESENTED if getattr(field, key) in ("", None)}
    carried = {key: getattr(ancestor, key) for key in ancestor.edited | ruled | blank}
    carried["enforced"] = field.enforced | ancestor.enforced
    carried["edited"] = field.edited | ancestor.edited
    heir = replace(field, **carried)
    if not list(contradictions(heir)):
        return heir
    # A new pipeline may no longer bear an old rule (a range that it now starts above, a
    # default for what may no longer be null): then only the words are carried.
    words = {key: carried[key] for key in ("label", "help", "unit") if key in carried}
    return replace(field, **words, edited=field.edited | (ancestor.edited & words.keys()))
