"""Names in a JSON object are unique, or we can't know which value was meant.

Parsers keep the last of two equal names in silence. A name costs one colon, so a body with no
more colons than names has none twice: that is checked in passing, and only a body with colons
elsewhere (in texts) is read a second time, with care.
"""

import json
from collections import Counter
from typing import Any

from portal.errors import BadRequest


def check_unique(body: bytes, value: Any) -> None:
    """``value`` is what ``body`` was parsed to. Raises BadRequest when a name stands twice."""
    try:
        if body.count(b":") > _at_least(value):
            json.loads(body, object_pairs_hook=unique)
    except RecursionError as error:
        raise BadRequest("The body is nested too deep.", code="bad_json") from error


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A hook for ``json.loads``. Raises BadRequest when a name stands twice in one object."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise BadRequest(
            f"The name “{twice}” stands twice in one object; give it once.", code="repeated_name"
        )
    return made


def _at_least(value: Any) -> int:
    """How many names there are in ``value``: in objects, in lists of flat objects. What lies
    deeper is not counted, which costs a second reading and no mistake."""
    if isinstance(value, dict):
        deeper = (item for item in value.values() if isinstance(item, dict | list))
        return len(value) + sum(map(_at_least, deeper))
    if isinstance(value, list) and set(map(type, value)) == {dict}:
        return sum(map(len, value))
    return 0
