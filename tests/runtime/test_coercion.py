"""Coercion: what passes, what only warns, what is refused and where the refusal points."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from berth.cells import CellRule
from berth.signature import (
    MISSING_STRING,
    Field,
    InvalidInput,
    Output,
    Problem,
    Signature,
)

EXPERIENCE = Field("experience", "number", minimum=0, maximum=40)
LEVEL = Field("level", "integer", choices=(1, 2, 12))
CITY = Field("city", "string", choices=("Bonn", "Köln"))
REMOTE = Field("remote", "boolean")
ROW = {"experience": 3.5, "level": 12, "city": "Bonn", "remote": True}


def signed(*fields: Field) -> Signature:
    return Signature(fields, Output("wage", "regression"))


WAGES = signed(EXPERIENCE, LEVEL, CITY, REMOTE)


def errors_of(rows: Any, signature: Signature = WAGES) -> list[Problem]:
    with pytest.raises(InvalidInput) as refusal:
        signature.coerce(rows)
    return refusal.value.errors


def found(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.code) for problem in problems]


def test_rows_become_one_column_for_each_field() -> None:
    coerced = WAGES.coerce([ROW, {**ROW, "experience": 4, "remote": False}])
    assert coerced.rows == 2
    assert {name: array.shape for name, array in coerced.columns.items()} == dict.fromkeys(
        ROW, (2, 1)
    )
    assert coerced.columns["experience"].dtype == np.float64
    assert coerced.columns["remote"].tolist() == [[1.0], [0.0]]
    assert coerced.columns["city"].dtype == object
    assert coerced.columns["city"].tolist() == [["Bonn"], ["Bonn"]]
    assert coerced.warnings == []


@pytest.mark.parametrize(
    ("value", "field", "code"),
    [
        ("12", "experience", "wrong_type"),
        (True, "experience", "wrong_type"),
        ([1], "experience", "wrong_type"),
        ({}, "level", "wrong_type"),
        (12, "city", "wrong_type"),
        (True, "city", "wrong_type"),
        (2, "remote", "wrong_type"),
        ("true", "remote", "wrong_type"),
        (None, "experience", "null"),
        (None, "city", "null"),
        (math.nan, "experience", "not_finite"),
        (math.inf, "experience", "not_finite"),
        (2**53 + 1, "experience", "inexact"),
        (10**400, "experience", "inexact"),
        ("\ud800", "city", "not_text"),
    ],
)
@pytest.mark.parametrize("place", [0, 70])
def test_it_refuses_a_value_that_does_not_fit(
    value: object, field: str, code: str, place: int
) -> None:
    rows: list[dict[str, Any]] = [dict(ROW) for _ in range(place + 3)]
    rows[place][field] = value
    problems = errors_of(rows)
    assert found(problems) == [(f"/instances/{place}/{field}", code)]
    assert field in problems[0].detail


def test_what_was_only_inferred_warns_and_passes() -> None:
    row = {"experience": 41, "level": 1.5, "city": "Rom", "remote": 0}
    coerced = WAGES.coerce([ROW, row])
    assert coerced.columns["experience"][1, 0] == 41
    assert found(coerced.warnings) == [
        ("/instances/1/city", "unknown_choice"),
        ("/instances/1/experience", "outside_range"),
        ("/instances/1/level", "not_whole"),
        ("/instances/1/level", "unknown_choice"),
    ]


def test_what_a_person_enforced_is_refused() -> None:
    strict = signed(
        Field("a", "number", minimum=0, enforced=frozenset({"range"})),
        Field("b", "string", choices=("x",), enforced=frozenset({"choices"})),
        Field("c", "integer", enforced=frozenset({"integer"})),
    )
    problems = errors_of([{"a": -1, "b": "y", "c": 1.5}], strict)
    assert found(problems) == [
        ("/instances/0/a", "outside_range"),
        ("/instances/0/b", "unknown_choice"),
        ("/instances/0/c", "not_whole"),
    ]


def test_twelve_and_twelve_point_nought_are_the_same() -> None:
    whole, decimal = ({**ROW, "experience": v, "level": v} for v in (12, 12.0))
    for name, column in WAGES.coerce([whole]).columns.items():
        assert column.tolist() == WAGES.coerce([decimal]).columns[name].tolist()
    assert WAGES.coerce([decimal]).warnings == []


def test_missing_and_unknown_fields_are_named_with_the_nearest() -> None:
    row = {key: value for key, value in ROW.items() if key != "level"}
    problems = errors_of([ROW, {**row, "Level": 2}])
    assert found(problems) == [
        ("/instances/1/Level", "unknown_field"),
        ("/instances/1/level", "missing"),
    ]
    assert 'Did you mean "level"?' in problems[0].detail


def test_a_pointer_escapes_the_fields_name() -> None:
    signature = signed(Field("a/b~c", "number"))
    assert found(errors_of([{"a/b~c": "x"}], signature)) == [("/instances/0/a~1b~0c", "wrong_type")]


@pytest.mark.parametrize("row", [3, None, "text", ["a"]])
def test_a_row_that_is_no_object_is_refused(row: object) -> None:
    assert found(errors_of([ROW, row])) == [("/instances/1", "not_an_object")]


@pytest.mark.parametrize("rows", [{}, "rows", None, 5])
def test_instances_that_are_no_list_are_refused(rows: object) -> None:
    assert found(errors_of(rows)) == [("/instances", "wrong_type")]


def test_a_field_left_out_takes_its_default_else_null() -> None:
    signature = signed(
        Field("a", "number"),
        Field("b", "number", required=False, default=7),
        Field("c", "number", required=False, nullable=True),
        Field("d", "string", required=False, nullable=True),
    )
    columns = signature.coerce([{"a": 1}, {"a": 1, "b": 2, "c": 3, "d": "x"}]).columns
    assert columns["b"].tolist() == [[7.0], [2.0]]
    assert math.isnan(columns["c"][0, 0])
    assert columns["d"].tolist() == [[MISSING_STRING], ["x"]]


def test_an_unknown_field_in_an_optional_ones_place_is_refused() -> None:
    signature = signed(Field("a", "number"), Field("b", "number", required=False, default=7))
    assert found(errors_of([{"a": 1, "c": 2}], signature)) == [("/instances/0/c", "unknown_field")]


def test_the_first_hundred_errors_are_reported_and_the_others_counted() -> None:
    problems = errors_of([{**ROW, "experience": "x"}] * 1_000)
    assert len(problems) == 101
    assert "900 more" in problems[-1].detail


def test_columns_obey_the_same_rules() -> None:
    columns: dict[str, Any] = {name: [value, value] for name, value in ROW.items()}
    assert WAGES.coerce_columns(columns).columns["experience"].tolist() == [[3.5], [3.5]]
    with pytest.raises(InvalidInput) as refusal:
        WAGES.coerce_columns({**columns, "experience": [1, "x"]})
    assert found(refusal.value.errors) == [("/columns/experience/1", "wrong_type")]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"level": [1]}, "/columns/level", "unequal_length"),
        ({"level": "ab"}, "/columns/level", "wrong_type"),
        ({"levle": [1, 1]}, "/columns/levle", "unknown_field"),
    ],
)
def test_columns_that_are_no_table_are_refused(
    change: dict[str, Any], pointer: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        WAGES.coerce_columns({**{name: [value, value] for name, value in ROW.items()}, **change})
    assert found(refusal.value.errors) == [(pointer, code)]


def test_a_file_gives_its_good_rows_and_each_bad_row_its_own_errors() -> None:
    table = {
        "experience": ["3.5", "many", " 7 ", ""],
        "level": ["12", "1", "12.0", "2"],
        "city": ["Bonn", "Köln", "Rom", "Bonn"],
        "remote": ["true", "no", "1", "YES"],
        "more": ["ignored"] * 4,
    }
    good, bad = WAGES.coerce_lenient(table, first=100)
    assert good.indices is not None
    assert good.indices.tolist() == [0, 2]
    assert good.columns["experience"].tolist() == [[3.5], [7.0]]
    assert good.columns["remote"].tolist() == [[1.0], [1.0]]
    assert {row: found(problems) for row, problems in bad.items()} == {
        1: [("/rows/101/experience", "wrong_type")],
        3: [("/rows/103/experience", "null")],
    }
    assert found(good.warnings) == [("/rows/102/city", "unknown_choice")]


def test_a_file_without_a_needed_column_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(InvalidInput, match='Did you mean "Experience"') as refusal:
        WAGES.coerce_lenient({"Experience": [1], "level": [1], "city": ["x"], "remote": [1]})
    assert found(refusal.value.errors) == [("/experience", "missing")]


def test_a_file_may_hold_native_columns_of_polars_and_numpy() -> None:
    frame = pl.DataFrame({"experience": [1.5, None], "level": [1, 2], "city": ["Bonn", "Köln"]})
    remote = np.array([True, False])
    table = {**{name: frame[name] for name in frame.columns}, "remote": remote}
    good, bad = WAGES.coerce_lenient(table)
    assert good.rows == 1
    assert found(bad[1]) == [("/rows/1/experience", "null")]


@pytest.mark.parametrize("text", ["", " ", "NA", "NaN", "null"])
def test_an_empty_number_in_a_file_is_a_missing_one(text: str) -> None:
    good, bad = signed(Field("a", "number", nullable=True)).coerce_lenient({"a": ["1", text]})
    assert not bad
    assert math.isnan(good.columns["a"][1, 0])


@pytest.mark.parametrize("text", ["1_000", "1,5", "0x10", "١٢", "inf", "1e999", "9007199254740993"])
def test_a_text_that_only_python_reads_as_a_number_is_refused(text: str) -> None:
    _, bad = signed(Field("a", "number")).coerce_lenient({"a": ["1", text]})
    assert list(bad) == [1]


def test_an_empty_cell_takes_the_default_where_the_field_may_be_left_out() -> None:
    signature = signed(Field("a", "number", required=False, default=5), Field("b", "string"))
    good, _ = signature.coerce_lenient({"a": ["", "1"], "b": ["x", "y"]})
    assert good.columns["a"].tolist() == [[5.0], [1.0]]
    good, _ = signature.coerce_lenient({"b": ["x", "y"]})
    assert good.columns["a"].tolist() == [[5.0], [5.0]]


def test_a_file_without_any_of_the_optional_columns_keeps_its_rows() -> None:
    signature = signed(Field("a", "number", required=False, default=5))
    good, _ = signature.coerce_lenient({"other": ["x", "y"]})
    assert good.columns["a"].tolist() == [[5.0], [5.0]]


def test_an_unknown_column_is_found_behind_many_known_ones() -> None:
    fields = tuple(Field(f"f{i}", "number") for i in range(150))
    columns = {field.name: [1] for field in fields} | {"stray": [1]}
    with pytest.raises(InvalidInput) as refusal:
        signed(*fields).coerce_columns(columns)
    assert found(refusal.value.errors) == [("/columns/stray", "unknown_field")]


def test_a_number_of_which_nothing_is_known_may_be_true_or_false() -> None:
    rows = [{"remote": True}, {"remote": False}, {"remote": 1}]
    coerced = signed(Field("remote", "number")).coerce(rows)
    assert coerced.columns["remote"].tolist() == [[1.0], [0.0], [1.0]]
    file, refused = signed(Field("remote", "number")).coerce_lenient(
        {"remote": ["True", "FALSE", "1", "yes"]}
    )
    assert file.columns["remote"].tolist() == [[1.0], [0.0], [1.0]]
    assert list(refused) == [3]


FIELDS = st.sampled_from(
    [
        Field("v", "number", minimum=-5, maximum=50),
        Field("v", "number"),
        Field("v", "number", nullable=True, choices=(1, 2.5, 12)),
        Field("v", "integer", enforced=frozenset({"integer"})),
        Field("v", "integer", nullable=True, maximum=12, enforced=frozenset({"range"})),
        Field("v", "string", choices=("a", "12"), enforced=frozenset({"choices"})),
        Field("v", "string", nullable=True),
        Field("v", "boolean"),
        Field("v", "boolean", nullable=True),
    ]
)
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-20, 60),
    st.sampled_from([12, 12.0, 2**53, 2**53 + 1, -(2**60), 10**400, "a", "12", "", "\ud800"]),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=1),
)
LENGTH = st.sampled_from([1, 2, 40])  # below and above where numpy takes over


@settings(deadline=None, max_examples=300)
@given(FIELDS, st.lists(CELLS, min_size=1, max_size=4), CELLS, LENGTH)
def test_the_quick_path_says_what_the_careful_path_says(
    field: Field, cells: list[Any], common: Any, times: int
) -> None:
    cells = [common] * times + cells
    judged = [CellRule(field).judge(cell) for cell in cells]
    refused = any(finding.fatal for _, findings in judged for finding in findings)
    rows = [{"v": cell} for cell in cells]
    try:
        coerced = signed(field).coerce(rows)
    except InvalidInput:
        assert refused
        return
    assert not refused
    np.testing.assert_array_equal(coerced.columns["v"][:, 0].tolist(), [c for c, _ in judged])
    codes = sorted(finding.code for _, findings in judged for finding in findings)
    assert sorted(warning.code for warning in coerced.warnings) == codes


def written(cell: object) -> str:
    """A cell as a CSV writer puts it down."""
    return "" if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell)


SCALARS = {
    "number": st.one_of(
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    "boolean": st.booleans(),
    "string": st.text(min_size=1, max_size=3),
}


@settings(deadline=None, max_examples=300)
@given(FIELDS, st.data(), LENGTH)
def test_a_text_cell_means_what_its_value_means(
    field: Field, data: st.DataObject, times: int
) -> None:
    kind = SCALARS["number" if field.type == "integer" else field.type]
    cells = data.draw(st.lists(st.one_of(kind, st.none()), min_size=1, max_size=4)) * times
    good, bad = signed(field).coerce_lenient({"v": [written(cell) for cell in cells]})
    judged = [CellRule(field).judge(cell) for cell in cells]
    refused = [any(finding.fatal for finding in findings) for _, findings in judged]
    assert sorted(bad) == [i for i, is_refused in enumerate(refused) if is_refused]
    kept = [cell for (cell, _), is_refused in zip(judged, refused, strict=True) if not is_refused]
    np.testing.assert_array_equal(good.columns["v"][:, 0].tolist(), kept)
