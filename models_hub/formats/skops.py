"""skops archives: rules for the archive first, then a fixed list of types, then the trees."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models_hub.formats import archive
from models_hub.formats.base import Format, Opened, demand_predictor
from models_hub.formats.refusal import Refused
from models_hub.formats.skops_types import TRUSTED

MAX_SCHEMA = 64 << 20  # bytes
MAX_VALUES = 4_000_000
MAX_NODES = 300_000  # of 2 kB each once skops has them; 500 boosted trees have 35,000
SCHEMA = "schema.json"
FORBIDDEN_LOADERS = {"OperatorFuncNode", "MethodNode"}


class Skops(Format):
    name = "skops"
    extensions = (".skops",)

    def matches(self, head: bytes) -> bool:
        return head.startswith(archive.LOCAL_FILE)

    def inspect(self, path: Path) -> dict[str, Any]:
        entries = archive.check(path)
        schema = archive.read_json(path, SCHEMA, MAX_SCHEMA, {b'"__loader__"': MAX_NODES})
        if not isinstance(schema, dict) or "__loader__" not in schema:
            raise Refused("archive_corrupt", "The archive's schema is not one that skops writes.")
        members = {entry.filename for entry in entries}
        for node in _nodes(schema):
            _check_node(node, members)
        _walked(schema, {})
        return {
            "members": len(entries),
            "estimator": str(schema.get("__class__", ""))[:100],
            "skops": str(schema.get("_skops_version", ""))[:20],
        }

    def open(self, path: Path, own_code: bool = False) -> Opened:
        # imported here because it must never reach the web process
        from models_hub.formats.bounds import check_bounds

        facts = self.inspect(path)
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            estimator = _load(path)
        demand_predictor(estimator)
        check_bounds(estimator)
        versions = (getattr(note.message, "original_sklearn_version", "") for note in noted)
        saved_by = next(filter(None, versions), "")
        return Opened(
            estimator, {**facts, "saved_by": f"scikit-learn {saved_by}"} if saved_by else facts
        )


def _load(path: Path) -> Any:
    from skops.io import load  # costs a second, and must never reach the web process
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return load(path, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise _untrusted(path) from error
    except (MemoryError, RecursionError) as error:
        raise Refused("model_too_large", "The file needs too much memory to open.") from error
    except Exception as error:
        text = f"{type(error).__name__}: {error}"[:300]
        raise Refused("model_damaged", f"skops could not open the file ({text}).") from error


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object of the schema, without recursion; bounded in number and depth."""
    waiting, count = [(schema, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if count > MAX_VALUES or depth > archive.MAX_DEPTH:
            raise _bomb()
        if isinstance(value, dict):
            yield value
            waiting += [(child, depth + 1) for child in value.values()]
        elif isinstance(value, list):
            waiting += [(child, depth + 1) for child in value]


def _walked(value: Any, known: dict[Any, int]) -> int:
    """How many nodes skops meets as it walks, which does not see that it was there before: a node
    that stands under a known number counts with all that was below it the first time."""
    if isinstance(value, list):
        return sum(_walked(child, known) for child in value)
    if not isinstance(value, dict):
        return 0
    number = value.get("__id__")
    if isinstance(number, int) and number in known:
        return known[number]
    count = 1 + sum(_walked(child, known) for child in value.values())
    if count > MAX_NODES:
        raise _bomb()
    if isinstance(number, int):
        known[number] = count
    return count


def _bomb() -> Refused:
    return Refused("archive_bomb", "The archive's schema is too large or nested too deep.")


def _check_node(node: dict[str, Any], members: set[str]) -> None:
    loader = node.get("__loader__")
    if isinstance(loader, str) and loader in FORBIDDEN_LOADERS:
        name = f"{node.get('__module__')}.{node.get('__class__')}"[:150]
        raise Refused(
            "type_not_trusted",
            f"The file rebuilds {name} by calling a function, which is not accepted: use "
            "scikit-learn's own estimators, or save the model as ONNX.",
        )
    file = node.get("file")
    if loader and isinstance(file, str) and file not in members:
        raise Refused("archive_corrupt", "The schema names a member that is not in the archive.")


def _untrusted(path: Path) -> Refused:
    from skops.io import get_untrusted_types  # heavy: only in the sandbox

    # The file's own answer serves the message alone; it is never passed on as trust.
    foreign = [name for name in get_untrusted_types(file=path) if name not in TRUSTED]
    foreign = ["".join(sign for sign in name if sign.isprintable())[:120] for name in foreign]
    names = ", ".join(foreign[:5])[:300]
    return Refused(
        "type_not_trusted",
        f"The file holds types that are not part of scikit-learn's pipelines: {names}. Replace "
        "them by scikit-learn's own (FunctionTransformer of a numpy function, an encoder), or "
        "convert the model to ONNX and upload that.",
        {"types": foreign[:20]},
    )
