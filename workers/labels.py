"""A classification's labels as the predictions database keeps them."""

from typing import Any

import orjson


def label_text(label: Any) -> str:
    """A label as it is stored: texts as they are, others as JSON."""
    return label if isinstance(label, str) else orjson.dumps(label).decode()
