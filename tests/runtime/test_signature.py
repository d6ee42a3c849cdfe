"""Signature: JSON both ways, what contradicts itself, a person's edits."""

from typing import Any

import orjson
import pytest

from berth.signature import Field, InvalidSignature, Output, Signature

WAGES = Signature(
    (
        Field("experience", "number", minimum=0, maximum=40, label="Experience", unit="years"),
        Field("level", "integer", nullable=True, required=False),
        Field("city", "string", choices=("Bonn", "Köln"), enforced=frozenset({"choices"})),
    ),
    Output("wage", "regression", unit="EUR"),
)


def faults(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidSignature) as refusal:
        Signature.from_json(document)
    return [(error.pointer, error.code) for error in refusal.value.errors]


def edited(**change: Any) -> dict[str, Any]:
    document = WAGES.to_json()
    document["inputs"][0] |= change
    return document


def test_it_goes_to_json_and_back() -> None:
    assert Signature.from_json(orjson.loads(orjson.dumps(WAGES.to_json()))) == WAGES


@pytest.mark.parametrize(
    ("change", "key", "code"),
    [
        ({"type": "float"}, "type", "wrong_type"),
        ({"name": ""}, "name", "wrong_type"),
        ({"required": "yes"}, "required", "wrong_type"),
        ({"minimum": "0"}, "minimum", "wrong_type"),
        ({"minimum": 50}, "minimum", "outside_range"),
        ({"choices": []}, "choices", "wrong_type"),
        ({"choices": [1, "a"]}, "choices", "wrong_type"),
        ({"choices": [[1]]}, "choices", "wrong_type"),
        ({"choices": [1, 1.0]}, "choices", "repeated"),
        ({"default": "much"}, "default", "wrong_type"),
        ({"default": {}}, "default", "wrong_type"),
        ({"default": 41, "enforced": ["range"]}, "default", "outside_range"),
        ({"default": 3, "choices": [1], "enforced": ["choices"]}, "default", "unknown_choice"),
        ({"enforced": ["everything"]}, "enforced", "wrong_type"),
        ({"enforced": ["choices"]}, "enforced", "not_applicable"),
        ({"enforced": ["integer"]}, "enforced", "not_applicable"),
        ({"required": False}, "required", "no_default"),
        ({"nullabel": True}, "nullabel", "unknown_key"),
        ({"name": "a\0b"}, "name", "wrong_type"),
        ({"label": "a\0b"}, "label", "wrong_type"),
        ({"help": "\ud800"}, "help", "wrong_type"),
        (
            {"type": "string", "minimum": None, "maximum": None, "choices": ["\0"]},
            "choices",
            "wrong_type",
        ),
        (
            {"type": "string", "minimum": None, "maximum": None, "default": "\0"},
            "default",
            "wrong_type",
        ),
    ],
)
def test_it_refuses_a_field_that_contradicts_itself(
    change: dict[str, Any], key: str, code: str
) -> None:
    assert faults(edited(**change)) == [(f"/inputs/0/{key}", code)]


def test_it_refuses_two_fields_of_one_name() -> None:
    assert faults(edited(name="level")) == [("/inputs/1/name", "repeated")]


@pytest.mark.parametrize("document", [None, [], "text", {"inputs": [], "output": None}])
def test_it_refuses_what_is_no_signature(document: Any) -> None:
    assert faults(document)


@pytest.mark.parametrize(
    ("output", "key"),
    [
        ({"name": "y", "kind": "ranking"}, "kind"),
        ({"name": "y", "kind": "classification", "labels": None}, "labels"),
        ({"name": "y", "kind": "classification", "labels": ["a", "a"]}, "labels"),
        ({"name": "y", "kind": "regression", "labels": ["a", "b"]}, "labels"),
        ({"kind": "regression"}, "name"),
    ],
)
def test_it_refuses_an_output_that_contradicts_itself(output: dict[str, Any], key: str) -> None:
    document = {**WAGES.to_json(), "output": output}
    assert [pointer for pointer, _ in faults(document)] == [f"/output/{key}"]


def test_a_person_corrects_what_was_inferred() -> None:
    edit = {"name": "experience", "label": "Years", "maximum": 50, "enforced": ["range"]}
    field = WAGES.corrected([edit]).inputs[0]
    assert (field.label, field.maximum, field.minimum) == ("Years", 50, 0)
    assert field.enforced == {"range"}
    assert field.edited == {"label", "maximum", "enforced"}


@pytest.mark.parametrize(
    ("edit", "key", "code"),
    [
        ({"name": "city", "type": "number"}, "type", "not_editable"),
        ({"name": "city", "nullable": True}, "nullable", "not_editable"),
        ({"name": "town", "label": "Town"}, "name", "unknown_field"),
        ({"label": "Town"}, "name", "unknown_field"),
        ({"name": "city", "required": False}, "required", "no_default"),
        ({"name": "city", "minimum": 3}, "minimum", "not_applicable"),
        ({"name": "experience", "minimum": 60}, "minimum", "outside_range"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(edit: dict[str, Any], key: str, code: str) -> None:
    with pytest.raises(InvalidSignature) as refusal:
        WAGES.corrected([{"name": "level", "label": "Level"}, edit])
    assert [(e.pointer, e.code) for e in refusal.value.errors] == [(f"/inputs/1/{key}", code)]


def test_the_next_version_inherits_what_people_said() -> None:
    said: list[dict[str, Any]] = [
        {"name": "experience", "help": "Full years.", "maximum": 60, "default": 5},
        {"name": "level", "label": "Level"},
        {"name": "city", "enforced": []},
    ]
    fresh = Signature(
        (
            Field("experience", "number", minimum=1, maximum=45),
            Field("level", "string"),
            Field("city", "string", choices=("Bonn", "Mainz")),
        ),
        Output("wage", "regression"),
    )
    heir = fresh.inherit(WAGES.corrected(said))
    experience, level, city = heir.inputs
    assert (experience.help, experience.maximum, experience.default) == ("Full years.", 60, 5)
    assert (experience.minimum, experience.unit) == (1, "years")
    assert level == fresh.inputs[1]  # another type: another field
    assert (city.choices, city.enforced) == (("Bonn", "Mainz"), frozenset())
    assert heir.output.unit == "EUR"
    assert Signature.from_json(heir.to_json()) == heir


def test_enforced_choices_are_inherited() -> None:
    city = Field("city", "string", choices=("Bonn", "Mainz"))
    fresh = Signature((city,), WAGES.output)
    assert fresh.inherit(WAGES).inputs[0].choices == ("Bonn", "Köln")


def test_what_a_new_pipeline_cannot_bear_is_not_inherited() -> None:
    before = WAGES.corrected([{"name": "experience", "maximum": 10, "help": "Years."}])
    fresh = Signature((Field("experience", "number", minimum=20, maximum=30),), WAGES.output)
    field = fresh.inherit(before).inputs[0]
    assert (field.minimum, field.maximum, field.help) == (20, 30, "Years.")


def test_its_json_schema_never_refuses_what_the_server_takes() -> None:
    schema = WAGES.json_schema()
    assert schema["required"] == ["experience", "city"]
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "experience": {
            "title": "Experience",
            "type": "number",
            "description": "In years. Usually 0 to 40.",
        },
        "level": {
            "title": "level",
            "type": ["number", "null"],
            "description": "Usually a whole number.",
        },
        "city": {"title": "city", "type": "string", "enum": ["Bonn", "Köln"]},
    }
