"""Labels and keys as the predictions database keeps them."""

from typing import Any

import orjson

LONGEST_KEY = 500


def label_text(label: Any) -> str:
    """A label as it is stored: texts as they are, others as JSON."""
    return label if isinstance(label, str) else orjson.dumps(label).decode()


def storable(text: str) -> str:
    """The text as PostgreSQL takes it: it has no NUL."""
    return text.replace("\x00", "\ufffd")
