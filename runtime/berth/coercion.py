"""Rows, columns and files to the columns that a Predictor takes, by a signature's fields."""

from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from berth.cells import Finding
from berth.columns import ABSENT, Column, Found, Values
from berth.field import Field
from berth.problems import InvalidInput, Problem, escaped, nearest, pointer, shown
from berth.textcells import native

_MOST_REPORTED = 100


@dataclass(frozen=True, slots=True)
class Coerced:
    """Columns ready for a Predictor.

    `columns`: per field an array [n, 1]: float64 for numbers, integers and booleans (missing:
    NaN), object holding str for strings (missing: MISSING_STRING). `warnings`: what lies
    outside the inferred and was let through. `indices`: for a file, int64 [n], which of its
    rows these are; None for a live call, where all are.
    """

    columns: dict[str, NDArray[Any]]
    rows: int
    warnings: list[Problem] = field(default_factory=list)
    indices: NDArray[np.int64] | None = None


class Coercion:
    """The plans of a signature's fields, made once, used for every call."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._columns = [Column(about) for about in fields]
        self._names = [about.name for about in fields]
        self._known = frozenset(self._names)
        self._all_required = all(about.required for about in fields)

    def rows(self, rows: Sequence[object]) -> Coerced:
        """See Signature.coerce."""
        if not isinstance(rows, list | tuple):
            detail = "instances must be a list of objects, one for each row."
            raise InvalidInput([Problem("/instances", "wrong_type", detail)])
        found: list[Found] = []
        values = self._quick_values(rows)
        if values is None:
            values = self._careful_values(rows, found)
        return self._strict(values, len(rows), found, "/instances/{row}/{token}")

    def columns(self, columns: object) -> Coerced:
        """See Signature.coerce_columns."""
        if not isinstance(columns, Mapping):
            detail = "columns must be an object that holds one list for each field."
            raise InvalidInput([Problem("/columns", "wrong_type", detail)])
        plain = self._plain_lists(columns)
        if plain is not None:
            return self._strict(plain, len(plain[0]), [], "/columns/{token}/{row}")
        unknown = islice((name for name in columns if name not in self._known), _MOST_REPORTED)
        errors = [
            Problem(pointer("columns", str(name)), "unknown_field", self._unknown(str(name)))
            for name in unknown
        ]
        lists, rows = self._lists(columns, errors, "/columns")
        values = [_filled(lists.get(name), column, rows) for name, column in self._plans()]
        return self._strict(values, rows, [], "/columns/{token}/{row}")

    def file(
        self, columns: Mapping[str, Any], first: int
    ) -> tuple[Coerced, dict[int, list[Problem]]]:
        """See Signature.coerce_lenient."""
        lists, rows = self._lists(columns, [], "")
        found: list[Found] = []
        values = []
        for name, column in self._plans():
            cells = native(column.field.type, lists[name]) if name in lists else None
            values.append(_patched(_filled(cells, column, rows), column.field))
        arrays = self._arrays(values, found)
        bad, warnings = _by_row(found, first)
        indices = np.setdiff1d(np.arange(rows), list(bad), assume_unique=True)
        if bad:
            arrays = {name: array[indices] for name, array in arrays.items()}
        return Coerced(arrays, len(indices), _shortened(warnings), indices), bad

    def _plans(self) -> Iterator[tuple[str, Column]]:
        return zip(self._names, self._columns, strict=True)

    def _quick_values(self, rows: Sequence[Any]) -> Sequence[Values] | None:
        """The rows' values by field, if every row is plainly an object with fitting keys."""
        if set(map(type, rows)) != {dict}:
            return None
        full = set(map(len, rows)) == {len(self._columns)}
        if not full and (
            self._all_required or not self._known.issuperset(chain.from_iterable(rows))
        ):
            return None
        try:
            return [_picked(rows, column.field, full) for column in self._columns]
        except KeyError:
            return None

    def _plain_lists(self, columns: Mapping[str, Any]) -> Sequence[Values] | None:
        """The columns by field, if they are plainly those of the signature, as equal lists."""
        if len(columns) != len(self._names):
            return None
        try:
            lists = [columns[name] for name in self._names]
        except KeyError:
            return None
        plain = set(map(type, lists)) == {list} and len(set(map(len, lists))) == 1
        return lists if plain else None

    def _careful_values(self, rows: Sequence[object], found: list[Found]) -> Sequence[Values]:
        """The rows' values by field; a refused row's cells are ABSENT."""
        values: list[list[Any]] = [[ABSENT] * len(rows) for _ in self._columns]
        for i, row in enumerate(rows):
            if not isinstance(row, Mapping):
                detail = f"Row {i} must be an object of field names and values, but it is "
                found.append(Found(i, "", _fatal("not_an_object", f"{detail}{shown(row)}.")))
                continue
            for cells, column in zip(values, self._columns, strict=True):
                about = column.field
                if about.name in row or not about.required:
                    cells[i] = row.get(about.name, about.default)
                else:
                    found.append(Found(i, column.token, column.rule.absent()))
            for name in row:
                if name not in self._known:
                    finding = _fatal("unknown_field", self._unknown(str(name)))
                    found.append(Found(i, escaped(str(name)), finding))
        return values

    def _lists(
        self, columns: Mapping[str, Any], errors: list[Problem], at: str
    ) -> tuple[dict[str, list[Any]], int]:
        """The known columns as equally long lists, and their length; raises InvalidInput."""
        lists = {}
        for name, column in self._plans():
            if name in columns:
                cells = _listed(columns[name])
                if cells is not None:
                    lists[name] = cells
                    continue
                detail = f'"{name}" must be a list with one value for each row.'
                errors.append(Problem(f"{at}/{column.token}", "wrong_type", detail))
            elif column.field.required:
                detail = self._no_column(name, columns)
                errors.append(Problem(f"{at}/{column.token}", "missing", detail))
        # A file of which no column is ours still has its rows: all may take their defaults.
        rows = max(
            (len(cells) for cells in columns.values() if isinstance(cells, Sized)), default=0
        )
        for name, cells in lists.items():
            if len(cells) != rows:
                detail = f'"{name}" has {len(cells)} values, but the longest column has {rows}.'
                problem = Problem(
                    at + pointer(name), "unequal_length", f"{detail} Make them equal."
                )
                errors.append(problem)
        if errors:
            raise InvalidInput(_shortened(errors))
        return lists, rows

    def _arrays(self, values: Sequence[Values], found: list[Found]) -> dict[str, NDArray[Any]]:
        arrays = {}
        for column, cells in zip(self._columns, values, strict=True):
            array = column.quick(cells)
            if array is None:
                array = column.careful(cells, found)
            arrays[column.field.name] = array
        return arrays

    def _strict(
        self,
        values: Sequence[Values],
        rows: int,
        found: list[Found],
        template: str,
    ) -> Coerced:
        """All or nothing: the columns with their warnings, or InvalidInput."""
        arrays = self._arrays(values, found)
        if not found:
            return Coerced(arrays, rows)
        errors: list[Problem] = []
        warnings: list[Problem] = []
        for row, token, finding in sorted(found):
            place = template.format(row=row, token=token).removesuffix("/")  # "": the row itself
            problem = Problem(place, finding.code, finding.detail)
            (errors if finding.fatal else warnings).append(problem)
        if errors:
            raise InvalidInput(_shortened(errors))
        return Coerced(arrays, rows, _shortened(warnings))

    def _unknown(self, name: str) -> str:
        near = nearest(name, self._known)
        hint = f'Did you mean "{near[0]}"?' if near else f"It has {_some(self._names)}."
        return f"The model has no field {shown(name)}. {hint}"

    def _no_column(self, name: str, columns: Mapping[str, Any]) -> str:
        near = nearest(name, (str(key) for key in columns if key not in self._known), limit=3)
        hint = f"Did you mean {_some(near)}?" if near else f"There are {_some(list(columns))}."
        return f'The column "{name}" is missing, and the model needs it. {hint}'


def _by_row(found: list[Found], first: int) -> tuple[dict[int, list[Problem]], list[Problem]]:
    """The bad rows' problems by row, and the good rows' warnings."""
    fatal = {item.row for item in found if item.finding.fatal}
    bad: dict[int, list[Problem]] = {row: [] for row in sorted(fatal)}
    warnings = []
    for row, token, finding in sorted(found):
        problem = Problem(f"/rows/{first + row}/{token}", finding.code, finding.detail)
        if row not in bad:
            warnings.append(problem)
        elif finding.fatal:
            bad[row].append(problem)
    return bad, warnings


def _fatal(code: str, detail: str) -> Finding:
    return Finding(code, detail, fatal=True)


def _some(names: Sequence[str]) -> str:
    """Up to ten names, quoted, as they stand in a sentence."""
    listed = ", ".join(shown(name) for name in names[:10])
    return f"{listed} and {len(names) - 10} more" if len(names) > 10 else listed or "none"


def _shortened(problems: list[Problem]) -> list[Problem]:
    """The first hundred, and how many more there are."""
    more = len(problems) - _MOST_REPORTED
    if more <= 0:
        return problems
    detail = f"And {more:,} more like these. Look at the first ones, then try again."
    return [*problems[:_MOST_REPORTED], Problem("", "more", detail)]


def _listed(cells: Any) -> list[Any] | None:
    """A column as a list of Python values; None if it is none."""
    if isinstance(cells, np.ndarray):
        return cells.ravel().tolist() if cells.size == len(cells) else None
    if hasattr(cells, "to_list"):  # a polars or pandas Series
        cells = cells.to_list()
    return list(cells) if isinstance(cells, list | tuple) else None


def _filled(cells: Values | None, column: Column, rows: int) -> Values:
    """A column that was left out takes the field's default, else null."""
    return [column.field.default] * rows if cells is None else cells


def _patched(cells: Values, about: Field) -> Values:
    """An empty cell of a file counts as left out, where the field may be left out."""
    if about.required or about.default is None or None not in cells:
        return cells
    return [about.default if cell is None else cell for cell in cells]


def _picked(rows: Sequence[Any], about: Field, full: bool) -> Values:
    """One field's values; a KeyError where a row that has it all (`full`) has not this."""
    if full or about.required:
        return list(map(itemgetter(about.name), rows))
    return [row.get(about.name, about.default) for row in rows]
