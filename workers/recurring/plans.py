"""What a person or a program says about a recurring job, read and checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from berth.problems import Problem
from portal.errors import Invalid
from workers.recurring.timetable import Every, zones
from workers.recurring_models import WEEKDAYS

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
FIELDS = ("name", "version", "key", "every", "at", "weekday", "day", "zone", "mail")


@dataclass(frozen=True, slots=True)
class Plan:
    """``version``: a number, or None for the one that is live at the time."""

    name: str
    version: int | None
    key: str
    every: Every
    at: time
    weekday: int
    day: int
    zone: str
    mail: bool


def plan_of(given: Mapping[str, Any]) -> Plan:
    """The plan in the fields of a form (texts) or of a JSON object.

    ``weekday`` counts only weekly, ``day`` only monthly. Raises Invalid, with all that is off.
    """
    problems: list[Problem] = []

    def read(name: str, code: str, detail: str, value: Any) -> Any:
        if value is None:
            problems.append(Problem(f"/{name}", code, detail))
        return value

    every = str(given.get("every", ""))
    clock = _CLOCK.fullmatch(str(given.get("at", "")))
    found = Plan(
        name=read("name", "bad_name", "A name has 1 to 120 characters.", _name(given)),
        version=_version(given, problems),
        key=read("key", "bad_text", "A column’s name has at most 200 characters.", _key(given)),
        every=read(
            "every",
            "bad_choice",
            "“every” is day, week or month.",
            Every(every) if every in list(Every) else None,
        ),
        at=read(
            "at",
            "bad_time",
            "“at” is a time of day such as 02:30.",
            time(int(clock[1]), int(clock[2])) if clock else None,
        ),
        weekday=read(
            "weekday",
            "bad_choice",
            "“weekday” is monday, tuesday and so on.",
            _weekday(given) if every == Every.WEEK else 0,
        ),
        day=read(
            "day",
            "out_of_range",
            "“day” is a day of the month, from 1 to 31.",
            _whole(given.get("day"), 31) if every == Every.MONTH else 1,
        ),
        zone=read(
            "zone",
            "bad_zone",
            "“zone” is the name of an IANA time zone, such as Europe/Berlin.",
            given.get("zone") if given.get("zone") in zones() else None,
        ),
        mail=read("mail", "wrong_type", "“mail” is true or false.", _truth(given.get("mail"))),
    )
    if problems:
        raise Invalid(problems[0].detail, errors=problems)
    return found


def _name(given: Mapping[str, Any]) -> str | None:
    name = str(given.get("name", "")).strip()
    return name if 0 < len(name) <= 120 and name.isprintable() else None


def _key(given: Mapping[str, Any]) -> str | None:
    key = str(given.get("key") or "").strip()
    return key if len(key) <= 200 and "\0" not in key else None


def _version(given: Mapping[str, Any], problems: list[Problem]) -> int | None:
    value = given.get("version")
    if value in (None, "", "live"):
        return None
    number = _whole(value, 2**31 - 1)
    if number is None:
        detail = "“version” is a version’s number, such as 3; without it the live one scores."
        problems.append(Problem("/version", "wrong_type", detail))
    return number


def _weekday(given: Mapping[str, Any]) -> int | None:
    name = str(given.get("weekday", "")).lower()
    return WEEKDAYS.index(name) if name in WEEKDAYS else None


def _whole(value: Any, most: int) -> int | None:
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    return int(text) if 1 <= int(text) <= most else None


def _truth(value: Any) -> bool | None:
    known = {"true": True, "on": True, "1": True, "false": False, "": False, "0": False}
    return True if value is None else known.get(str(value).lower())
