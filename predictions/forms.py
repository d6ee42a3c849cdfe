"""A form drawn from a Signature: what to show for each field, and what a sent form means.

``FormFields`` is read by ``templates/predictions/fields.html``; ``parse`` turns what was sent into
an instance for ``predictions.answering``; ``explain`` turns refusals into a message for each field.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from berth.field import Field, Scalar
from berth.signature import InvalidInput, Problem, Signature
from berth.textcells import native
from predictions.written_numbers import plain, spoken

Control = Literal["select", "radio", "number", "text", "checkbox"]

_FEW, _SHORT = 4, 36  # so many choices of so many letters stand side by side; more make a list
_MOST_OPTIONS = 200  # beyond, a text box that suggests serves better than a list
_MOST_SUGGESTED = 1_000
_UNTOLD = "Not given"


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose: ``value`` is sent, ``text`` is shown."""

    value: str
    text: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class FormField:
    """One field as a template shows it. ``value`` is the text in the control.

    ``minimum``, ``maximum`` and ``step`` are those that the model enforces, as HTML writes them;
    empty where anything goes. ``choices`` of a text field are suggestions.
    """

    name: str
    id: str
    label: str
    help: str
    unit: str
    control: Control
    choices: tuple[Choice, ...]
    value: str
    checked: bool
    error: str
    required: bool
    inputmode: str
    minimum: str
    maximum: str
    step: str

    @property
    def describedby(self) -> str:
        """The ids of what explains the control, in reading order."""
        parts = {"unit": self.unit, "help": self.help, "error": self.error}
        return " ".join(f"{self.id}-{part}" for part, text in parts.items() if text)

    @property
    def is_chosen(self) -> bool:
        """Is one of the choices chosen already?"""
        return any(choice.chosen for choice in self.choices)

    @property
    def target(self) -> str:
        """The id of the first control: where a link to the field leads."""
        return f"{self.id}-1" if self.control == "radio" else self.id


class FormFields:
    """The fields in the signature's order.

    ``data`` is what was sent and is shown again as it was written; without it ``values`` (an
    instance) and then the fields' defaults are filled in. ``errors`` are messages by field name,
    as ``parse`` and ``explain`` give them.
    """

    def __init__(
        self,
        signature: Signature,
        data: Mapping[str, Any] | None = None,
        errors: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        messages = errors or {}
        self.fields = [
            _drawn(field, index, _text_of(field, data, values or {}), messages.get(field.name, ""))
            for index, field in enumerate(signature.inputs)
        ]
        self.general = messages.get("", "")

    def __iter__(self) -> Iterator[FormField]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    @property
    def errors(self) -> list[FormField]:
        """The fields that have one."""
        return [field for field in self.fields if field.error]


def parse(signature: Signature, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What a sent form says: an instance, and a message for each field that does not fit.

    Text becomes values by ``berth``'s own reading; the signature has the last word on all of them.
    """
    instance: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in signature.inputs:
        text = _sent(field, data)
        value = _value(field, text) if text else None
        if value is None and field.required:
            errors[field.name] = _message(field, "missing", "")
        elif value is not None and _is_unread(field, value):
            code = "unknown_choice" if _is_closed(field) else "wrong_type"
            errors[field.name] = _message(field, code, "")
        elif value is not None or field.nullable:
            instance[field.name] = value
    found = {**_refusals(signature, instance), **errors}
    return instance, {
        field.name: found[field.name] for field in signature.inputs if field.name in found
    }


def explain(signature: Signature, problems: Iterable[Problem]) -> dict[str, str]:
    """A message by field name for each problem of one instance (``/instances/0/<field>``).

    What points at no field stands under the empty name.
    """
    known = {field.name: field for field in signature.inputs}
    found: dict[str, str] = {}
    for problem in problems:
        token = problem.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        field = known.get(token)
        message = _message(field, problem.code, problem.detail) if field else problem.detail
        found.setdefault(token if field else "", message)
    return found


def label_of(field: Field) -> str:
    """What to call the field: its label, else its name made readable."""
    words = field.label or " ".join(field.name.replace("_", " ").split())
    return words[:1].upper() + words[1:]


def control_of(field: Field) -> Control:
    """How the field is filled in."""
    if field.type == "boolean":
        return "checkbox" if field.required else "radio"
    if field.choices and len(field.choices) <= _MOST_OPTIONS:
        return "radio" if _fits_beside(field) else "select"
    return "text" if field.type == "string" else "number"


def _fits_beside(field: Field) -> bool:
    texts = [_written(choice) for choice in field.choices or ()]
    texts += [] if field.required else [_UNTOLD]
    return len(texts) <= _FEW and sum(map(len, texts)) <= _SHORT


def _refusals(signature: Signature, instance: Mapping[str, Any]) -> dict[str, str]:
    try:
        signature.coerce([instance])
    except InvalidInput as refusal:
        return explain(signature, refusal.errors)
    return {}


def _input_name(field: Field) -> str:
    return f"in-{field.name}"  # so that no field's name can meet one of the form's own


def _sent(field: Field, data: Mapping[str, Any]) -> str:
    name = _input_name(field)
    if control_of(field) == "checkbox":
        return "true" if data.get(name) else "false"
    return str(data.get(name) or "").strip()


def _text_of(field: Field, data: Mapping[str, Any] | None, values: Mapping[str, Any]) -> str:
    if data is not None:
        return _sent(field, data)
    return _written(values.get(field.name, field.default))


def _value(field: Field, text: str) -> Any:
    if field.type == "boolean":
        return native("boolean", [text])[0]
    if _is_closed(field):
        return {_written(choice): choice for choice in field.choices or ()}.get(text, text)
    return native(field.type, [text if field.type == "string" else plain(text, field)])[0]


def _is_unread(field: Field, value: Any) -> bool:
    if _is_closed(field) and field.type != "boolean":
        return value not in (field.choices or ())
    return isinstance(value, str) and field.type != "string"


def _is_closed(field: Field) -> bool:
    """Is the value picked, not written?"""
    return control_of(field) in ("radio", "select")


def _written(value: Scalar | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:.15g}"


def _drawn(field: Field, index: int, text: str, error: str) -> FormField:
    control = control_of(field)
    enforced = "range" in field.enforced
    return FormField(
        name=_input_name(field),
        id=f"field-{index + 1}",
        label=label_of(field),
        help=field.help or _range_hint(field),
        unit=field.unit,
        control=control,
        choices=tuple(_choices(field, control, text)),
        value=text,
        checked=control == "checkbox" and text == "true",
        error=error,
        required=field.required,
        inputmode=_inputmode(field) if control == "number" else "",
        minimum=_written(field.minimum) if enforced else "",
        maximum=_written(field.maximum) if enforced else "",
        step="1" if "integer" in field.enforced else "any",
    )


def _choices(field: Field, control: Control, text: str) -> Iterator[Choice]:
    if control == "checkbox":
        return
    if _is_closed(field) and not field.required:
        yield Choice("", _UNTOLD, text == "")
    if field.type == "boolean":
        yield Choice("true", "Yes", text == "true")
        yield Choice("false", "No", text == "false")
    for choice in (field.choices or ())[:_MOST_SUGGESTED] if field.type != "boolean" else ():
        written = _written(choice)
        yield Choice(written, written, written == text)


def _inputmode(field: Field) -> str:
    """Phones' number pads have no minus sign, so what may be negative gets a keyboard."""
    if field.minimum is None or field.minimum < 0:
        return "text"
    return "numeric" if field.type == "integer" else "decimal"


def _range_hint(field: Field) -> str:
    if field.choices or field.minimum is None or field.maximum is None:
        return ""
    if "range" in field.enforced:
        return f"From {spoken(field.minimum)} to {spoken(field.maximum)}."
    return f"Usually {spoken(_about(field.minimum))} to {spoken(_about(field.maximum))}."


def _about(value: float) -> float:
    """A bound that only guides, short enough to read: 0.0857754 as 0.08578."""
    if value == round(value):
        return value
    return float(f"{value:.4g}") if abs(value) < 1000 else round(value)


def messages_of(field: Field) -> dict[str, str]:
    """What to do for each code of a refusal, in a person's words."""
    closed = _is_closed(field)
    whole = field.type == "integer"
    number = "Enter a whole number, such as 12." if whole else "Enter a number, such as 12.5."
    return {
        "missing": "Choose one." if closed else "Fill this in.",
        "null": "Choose one." if closed else "Fill this in.",
        "wrong_type": number if field.type != "string" else "Enter a text.",
        "not_whole": "Enter a whole number.",
        "unknown_choice": "Choose one of the options."
        if closed
        else f"Enter one of: {', '.join(map(_written, (field.choices or ())[:8]))}.",
        "outside_range": f"Enter a value {_bounds(field)}.",
        "not_finite": number,
        "inexact": "Enter a number with at most 15 digits.",
        "not_text": "Enter a text without control characters.",
    }


def _message(field: Field, code: str, detail: str) -> str:
    """What to do; codes that we don't know keep the signature's own sentence."""
    return messages_of(field).get(code, detail)


def written_choices(field: Field) -> list[str] | None:
    """What the choices are as text in the form, in order; None where the value is written."""
    return [_written(choice) for choice in field.choices or ()] if _is_closed(field) else None


def _bounds(field: Field) -> str:
    if field.minimum is None:
        return f"of at most {spoken(field.maximum or 0.0)}"
    if field.maximum is None:
        return f"of at least {spoken(field.minimum)}"
    return f"from {spoken(field.minimum)} to {spoken(field.maximum)}"
