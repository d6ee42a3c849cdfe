"""What the first child says about an upload, read as what a stranger says."""

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from berth.signature import InvalidSignature, Signature
from models_hub.formats import Refused

STAGES = ("inspected", "signature", "converted", "compared")
CODE = re.compile(r"[a-z][a-z0-9_]{2,59}")
MAX_DETAIL = 800
MAX_FACTS = 20
MAX_NAMES, MAX_NAME = 5_000, 500


@dataclass(frozen=True, slots=True)
class Claim:
    """A result whose shape is right; whether it is true is for the second child to say."""

    signature: Signature
    facts: dict[str, str]
    why_native: Refused | None
    """Why there is no graph."""
    names: tuple[str, ...]
    """The sample's columns: what an estimator without names takes its own for."""
    native_p50_ms: float | None


def text(value: object, limit: int = MAX_DETAIL) -> str:
    """A sentence that may be stored and shown: a printable string of bounded length."""
    plain = value if isinstance(value, str) else ""
    return "".join(sign if sign.isprintable() else " " for sign in plain[:limit])


def stage(message: dict[str, Any]) -> tuple[str, str]:
    """(name, detail) of a stage message."""
    if message.get("name") not in STAGES:
        raise garbled("it names a stage that there is not")
    return str(message["name"]), text(message.get("detail"))


def refusal(message: dict[str, Any]) -> Refused:
    """The refusal that a message carries."""
    code = message.get("code")
    known = isinstance(code, str) and CODE.fullmatch(code)
    return Refused(
        str(code) if known else "inspection_garbled",
        text(message.get("detail")) or "The inspection refused the file.",
        _figures(message.get("figures"), depth=5),
    )


def _figures(value: object, depth: int) -> dict[str, object]:
    """Figures of a bounded number and depth: numbers, texts, lists and groups of these."""
    if not isinstance(value, dict) or not depth:
        return {}
    few = list(value.items())[:MAX_FACTS]
    return {text(key, 60): _figure(item, depth) for key, item in few}


def _figure(value: object, depth: int) -> object:
    if isinstance(value, dict):
        return _figures(value, depth - 1)
    if isinstance(value, list):
        return [_figure(item, depth - 1) for item in value[:MAX_FACTS]] if depth else []
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, int | float) else text(value, 200)


def claim(message: dict[str, Any]) -> Claim:
    """The first child's result. Raises `Refused` (`inspection_garbled`)."""
    facts, spans = message.get("facts"), message.get("spans")
    if not isinstance(facts, dict) or not isinstance(spans, dict):
        raise garbled("parts of it are missing")
    if not all(map(_is_span, spans.values())):
        raise garbled("a range is none")
    kept = message.get("kept")
    if not isinstance(kept, list) or not all(type(row) is int and row >= 0 for row in kept):
        raise garbled("its rows are none")
    if any(row <= before for before, row in pairwise(kept)):
        raise garbled("a row of it stands twice")  # two thousand times the same row is one row
    try:
        signature = Signature.from_json(message.get("signature"))
    except InvalidSignature as error:
        raise garbled(f"its signature is invalid ({text(str(error), 200)})") from error
    shown = {text(key, 60): text(str(value), 200) for key, value in list(facts.items())[:MAX_FACTS]}
    why, pace = message.get("why_native"), message.get("native_p50_ms")
    return Claim(
        signature,
        shown,
        refusal(why) if isinstance(why, dict) else None,
        _names(message.get("names")),
        round(pace, 4) if isinstance(pace, float) and math.isfinite(pace) else None,
    )


def _names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or len(names) > MAX_NAMES:
        raise garbled("its columns are none")
    if not all(isinstance(name, str) and len(name) <= MAX_NAME for name in names):
        raise garbled("its columns have no names")
    return tuple(names)


def _is_span(span: object) -> bool:
    if not isinstance(span, list) or len(span) != 2:
        return False
    return all(isinstance(end, int | float) and math.isfinite(end) for end in span)


def figures(message: dict[str, Any]) -> dict[str, Any]:
    """The second child's verdict: parity, latency, golden rows."""
    return {name: _part(message, name) for name in ("parity", "latency", "golden")}


def browser(message: dict[str, Any]) -> dict[str, Any]:
    """The second child's last word: what a browser may run."""
    return _part(message, "browser")


def _part(message: dict[str, Any], name: str) -> dict[str, Any]:
    part = message.get(name)
    if not isinstance(part, dict):
        raise garbled("parts of it are missing")
    return part


def garbled(what: str) -> Refused:
    """The refusal for a result that no honest child would give."""
    return Refused("inspection_garbled", f"The inspection gave no usable result: {what}.")
