"""Importing scikit-learn in less time, two seconds of a processor on which people wait, and asking
it in less.

A quarter of them goes into docstrings: scipy takes those of 600 functions apart as it is imported
and puts them together again with a note on array libraries (`scipy._lib._array_api`). Nobody reads
them in a child.
"""

import gc
from collections import defaultdict


def import_sklearn() -> None:
    """Import what any fitted pipeline needs. What is imported stays, so nothing of it is looked
    at by the collector of garbage, neither now nor later."""
    gc.disable()
    _leave_docs_alone()
    # imported here because what stands above has to come first
    import sklearn.ensemble
    import sklearn.pipeline

    _know_tables_by_their_class()
    gc.freeze()
    gc.enable()
    assert sklearn.ensemble
    assert sklearn.pipeline


def _leave_docs_alone() -> None:
    """For the scipy that is pinned; another one may do without, and is then as slow as it is."""
    try:
        from scipy._lib import _docscrape
    except ImportError:
        return

    class Unread(_docscrape.FunctionDoc):  # type: ignore[misc]  # scipy is untyped
        """A docstring that has every section, and all of them empty."""

        def __init__(self, *_: object, **__: object) -> None:
            self._parsed_data: dict[str, list[str]] = defaultdict(list)

        def __str__(self) -> str:
            return "\n"

    _docscrape.FunctionDoc = Unread


def _know_tables_by_their_class() -> None:
    """scikit-learn asks narwhals what each table is, some 80 times for one row, and it looks for
    a method as `inspect.getattr_static` does: a sixth of a short call. A class has it or not."""
    try:
        from narwhals import _utils

        slow = _utils._hasattr_static
    except (ImportError, AttributeError):  # another one than the pinned
        return

    known: dict[tuple[type, str], bool] = {}

    def has(obj: object, attr: str) -> bool:
        key = (type(obj), attr)
        if key not in known:
            known[key] = slow(type(obj), attr)
        return known[key]

    _utils._hasattr_static = has
