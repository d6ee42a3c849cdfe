"""A form drawn from a signature, and what a sent one means."""

from collections.abc import Mapping

import pytest
from django.http import QueryDict

from berth.field import Field
from berth.signature import Output, Problem, Signature
from predictions.forms import FormField, FormFields, explain, parse

LEVELS = ("junior", "middle", "senior", "staff", "principal")


def signature(*fields: Field) -> Signature:
    return Signature(fields, Output("salary", "regression", unit="EUR"))


def number(**more: object) -> Field:
    return Field("years", "number", **more)  # type: ignore[arg-type]  # as the tests say them


def drawn(field: Field, data: Mapping[str, str] | None = None) -> FormField:
    return next(iter(FormFields(signature(field), data)))


def read(field: Field, text: str) -> object:
    """The value that the text means, or the message why it means none."""
    query = QueryDict(mutable=True)
    query[f"in-{field.name}"] = text
    instance, errors = parse(signature(field), query)
    return errors.get(field.name, instance.get(field.name, "left out"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12.0),
        ("-3.5", -3.5),
        ("−3,5", -3.5),
        ("45.000,5", 45000.5),
        ("45,000.5", 45000.5),
        ("45'000", 45000),
        ("45 000", 45000),
        ("1.234.567", 1234567),
        ("45,000", 45000),
        ("45.000", 45),
        ("0,125", 0.125),
        ("12,5", 12.5),
        ("1e3", 1000.0),
        ("€ 5", 5),
    ],
)
def test_it_reads_a_number_as_people_write_it(text: str, value: float) -> None:
    assert read(number(), text) == value


def test_it_lets_the_range_settle_what_reads_both_ways() -> None:
    assert read(number(minimum=20_000, maximum=90_000), "45.000") == 45_000
    assert read(number(minimum=0, maximum=9), "1,234") == 1.234


def test_it_reads_a_point_in_a_whole_number_as_grouping() -> None:
    assert read(Field("pay", "integer"), "45.000") == 45_000


def test_it_strips_the_unit_a_person_wrote_too() -> None:
    assert read(number(unit="years"), "12 years") == 12


@pytest.mark.parametrize("text", ["twelve", "1.2.3", "12,34,5", "--4", "1 2 x"])
def test_it_refuses_what_is_no_number_with_an_example(text: str) -> None:
    assert read(number(), text) == "Enter a number, such as 12.5."


def test_it_asks_for_what_is_needed() -> None:
    assert read(number(), " ") == "Fill this in."
    assert read(Field("level", "string", choices=LEVELS), "") == "Choose one."


def test_it_leaves_out_an_empty_optional_field_and_sends_null_where_null_is_known() -> None:
    assert read(number(required=False, default=5.0), "") == "left out"
    assert read(number(required=False, nullable=True, default=5.0), "") is None


def test_it_takes_a_choice_exactly_and_nothing_else() -> None:
    level = Field("level", "string", choices=LEVELS)
    assert read(level, "staff") == "staff"
    assert read(level, "Staff") == "Choose one of the options."


def test_a_choice_keeps_its_own_type() -> None:
    grade = Field("grade", "integer", choices=(1, 2, 3))
    assert read(grade, "2") == 2


def test_it_enforces_what_a_person_enforced_and_says_the_bounds() -> None:
    field = number(minimum=0.0, maximum=40.0, enforced=frozenset({"range"}))
    assert read(field, "41") == "Enter a value from 0 to 40."
    assert read(number(minimum=0.0, maximum=40.0), "41") == 41


def test_a_required_boolean_is_a_box_to_tick_and_an_optional_one_has_three_answers() -> None:
    box = Field("remote", "boolean")
    assert drawn(box).control == "checkbox"
    assert read(box, "true") is True
    assert parse(signature(box), {}) == ({"remote": False}, {})
    optional = Field("remote", "boolean", required=False, nullable=True)
    assert [choice.text for choice in drawn(optional).choices] == ["Not given", "Yes", "No"]
    assert read(optional, "false") is False
    assert read(optional, "") is None


def test_it_fills_in_defaults_and_keeps_what_was_written() -> None:
    field = number(default=5.0)
    assert drawn(field).value == "5"
    assert drawn(field, {"in-years": "abc"}).value == "abc"
    assert next(iter(FormFields(signature(field), values={"years": 7}))).value == "7"


def test_few_choices_stand_side_by_side_and_many_make_a_list_and_very_many_suggest() -> None:
    def control(count: int) -> str:
        return drawn(Field("city", "string", choices=tuple(f"c{i}" for i in range(count)))).control

    assert [control(4), control(5), control(300)] == ["radio", "select", "text"]
    degrees = ("Vocational training", "Bachelor", "Master", "Doctorate")
    assert drawn(Field("degree", "string", choices=degrees)).control == "select"


def test_it_names_what_explains_a_control_in_reading_order() -> None:
    field = number(unit="years", help="Since your first job.")
    shown = next(iter(FormFields(signature(field), {}, {"years": "Fill this in."})))
    assert shown.describedby == "field-1-unit field-1-help field-1-error"


def test_a_label_is_made_from_the_name_where_nobody_gave_one() -> None:
    assert drawn(Field("years_of_experience", "number")).label == "Years of experience"


def test_it_hints_at_the_usual_range_and_offers_a_minus_where_one_may_be_needed() -> None:
    assert drawn(number(minimum=0, maximum=1500)).help == "Usually 0 to 1,500."
    assert drawn(number(minimum=0, maximum=1500)).inputmode == "decimal"
    assert drawn(number(minimum=-4, maximum=60)).inputmode == "text"


def test_it_maps_pointers_back_to_fields_whatever_their_names() -> None:
    odd = Field("a/b~c", "number")
    problems = [
        Problem("/instances/0/a~1b~0c", "missing", "…"),
        Problem("/instances/0", "not_an_object", "Rows are objects."),
    ]
    assert explain(signature(odd), problems) == {
        "a/b~c": "Fill this in.",
        "": "Rows are objects.",
    }


def test_it_reports_every_field_that_is_off_at_once() -> None:
    fields = signature(
        number(),
        Field("age", "number", minimum=0, maximum=99, enforced=frozenset({"range"})),
        Field("level", "string", choices=LEVELS),
    )
    _, errors = parse(fields, {"in-years": "x", "in-age": "200"})
    assert list(errors) == ["years", "age", "level"]
