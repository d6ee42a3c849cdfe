"""Kafka clients' settings out of a file, as librdkafka names them."""

from pathlib import Path


def read_properties(path: Path) -> dict[str, str]:
    """`name=value` on each line; empty lines and those that begin with # count for nothing.

    Raises OSError, and ValueError for a line that is neither.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"line {number} is not name=value")
        found[name.strip()] = value.strip()
    return found
