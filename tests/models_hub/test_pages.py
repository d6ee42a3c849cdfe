"""The pages of models and versions, as people walk them."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import skops.io
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from models_hub.models import HostedModel, Version
from portal import tenancy
from portal.models import Membership, Role, new_id
from portal.uploads import LIMITS
from predictions.models import Prediction
from tests.cast import Cast
from tests.runtime.conftest import people, trained
from tests.workers.conftest import publish
from workers import tasks

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


@pytest.fixture(scope="session")
def regressor() -> Pipeline:
    return trained(LinearRegression(), lambda frame: 10 + 2 * frame.experience + frame.education)


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.browser(cast.alice)


@pytest.fixture
def salary(cast: Cast, regressor: Pipeline) -> Version:
    """A live version that was sealed without a report."""
    return publish(cast.acme, "salary", regressor)


@pytest.fixture
def artifact(regressor: Pipeline, tmp_path: Path) -> SimpleUploadedFile:
    path = tmp_path / "model.skops"
    skops.io.dump(regressor, path)
    return SimpleUploadedFile("model.skops", path.read_bytes())


def versions(cast: Cast) -> list[Version]:
    with tenancy.scope(cast.acme.pk):
        return list(Version.objects.select_related("model").order_by("number"))


def text(answer: Any) -> str:
    """What a reader sees, in one line."""
    body = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(body.replace("&#x27;", "'").replace("&nbsp;", " ").split())


def corrections(cast: Cast, **edits: Any) -> dict[str, Any]:
    """What the form of the newest signature sends when only ``edits`` are made."""
    sent: dict[str, Any] = {}
    signature: Any = versions(cast)[-1].signature
    for index, field in enumerate(signature["inputs"]):
        for key in ("label", "unit", "help", "minimum", "maximum", "default"):
            value = edits.pop(f"{field['name']}.{key}", field[key])
            sent[f"f{index}-{key}"] = "" if value is None else value
        sent[f"f{index}-choices"] = "\n".join(str(choice) for choice in field["choices"] or ())
        sent[f"f{index}-enforced"] = edits.pop(f"{field['name']}.enforced", field["enforced"])
        if edits.pop(f"{field['name']}.required", field["required"]):
            sent[f"f{index}-required"] = "on"
    assert not edits
    return sent


def test_it_sends_the_signed_out_to_sign_in_and_back(cast: Cast, salary: Version) -> None:
    answer = Client().get("/models/salary/versions/1")
    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=/models/salary/versions/1"


def test_it_does_not_send_the_signed_out_back_to_a_deed(cast: Cast, salary: Version) -> None:
    answer = Client().post("/models/salary/rollback")
    assert answer["Location"] == "/accounts/login/?next=/"


def test_a_fragment_reloads_its_page_when_the_session_has_ended(
    cast: Cast, salary: Version
) -> None:
    answer = Client().get("/models/salary/versions/1/stages", headers={"HX-Request": "true"})
    assert answer["HX-Refresh"] == "true"


def test_it_tells_people_without_an_organisation_how_to_get_into_one(
    cast: Cast, django_user_model: Any
) -> None:
    stranger = django_user_model.objects.create_user("dora@nowhere.example", "x" * 12)
    answer = cast.browser(stranger).get("/models")
    assert answer.status_code == 403
    assert "Ask an admin of yours for an invitation" in text(answer)


def test_an_empty_list_says_what_to_do_next(alice: Client) -> None:
    assert "No models yet" in text(alice.get("/models"))


def test_a_new_model_gets_its_slug_from_its_name_and_leads_to_the_upload(
    cast: Cast, alice: Client
) -> None:
    answer = alice.post("/models/new", {"name": "Salary estimate 2026", "slug": ""})
    assert answer["Location"] == "/models/salary-estimate-2026/upload"
    with tenancy.scope(cast.acme.pk):
        assert HostedModel.objects.get().name == "Salary estimate 2026"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"name": "", "slug": "x"}, "This field is required"),
        ({"name": "X", "slug": "Not A Slug"}, "A slug has 1 to 63 small letters"),
        ({"name": "New"}, "“new” is a page of its own"),
        ({"name": "Salary again", "slug": "salary"}, "There is a model “salary” already."),
    ],
)
def test_it_says_beside_the_field_why_a_model_is_not_made(
    alice: Client, salary: Version, sent: dict[str, str], said: str
) -> None:
    answer = alice.post("/models/new", sent)
    assert answer.status_code == 422
    assert said in text(answer)
    assert "There is a problem" in text(answer)


def test_an_upload_is_inspected_reported_and_promoted_by_page(
    cast: Cast, alice: Client, artifact: SimpleUploadedFile
) -> None:
    alice.post("/models/new", {"name": "Salary"})
    sample = SimpleUploadedFile("people.csv", people(200).to_csv(index=False).encode())
    answer = alice.post(
        "/models/salary/upload", {"artifact": artifact, "sample": sample, "notes": "First one"}
    )
    assert answer["Location"] == "/models/salary/versions/1"
    waiting = alice.get("/models/salary/versions/1")
    assert 'hx-trigger="every 1s"' in waiting.content.decode()
    assert "Inspecting" in text(waiting)

    tasks.inspect()

    fragment = alice.get("/models/salary/versions/1/stages", headers={"HX-Request": "true"})
    assert "every 1s" not in fragment.content.decode()
    assert 'id="version-head" hx-swap-oob="true"' in fragment.content.decode()
    report = text(fragment)
    assert "Version 1 is ready." in report
    assert "Largest relative error" in report
    assert "Sealed" in report
    assert "Promote version 1" in report
    answer = alice.post("/models/salary/versions/1/promote", follow=True)
    assert "Version 1 is live: it answers from now on." in text(answer)
    assert "curl http://testserver/api/v1/models/salary/predict" in text(answer)


def test_an_upload_by_script_is_answered_with_the_place_to_go(
    cast: Cast, alice: Client, salary: Version, artifact: SimpleUploadedFile
) -> None:
    answer = alice.post(
        "/models/salary/upload",
        {"artifact": artifact},
        headers={"Accept": "application/json, text/html;q=0.5"},
    )
    assert answer.status_code == 201
    assert answer.json() == {"location": "/models/salary/versions/2"}


def test_an_upload_without_a_file_is_refused_beside_the_field(
    alice: Client, salary: Version
) -> None:
    answer = alice.post("/models/salary/upload", {"notes": "kept"})
    assert answer.status_code == 422
    assert 'id="id_artifact_error"' in answer.content.decode()
    assert "kept" in text(answer)


def test_a_file_of_another_kind_is_refused_with_the_endings_that_are_taken(
    alice: Client, salary: Version
) -> None:
    file = SimpleUploadedFile("model.exe", b"MZ and more")
    answer = alice.post(
        "/models/salary/upload", {"artifact": file}, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/artifact"
    assert ".skops" in error["detail"]


def test_a_file_beyond_the_limit_is_refused_beside_the_field(
    alice: Client, salary: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, "artifact", 1000)
    file = SimpleUploadedFile("model.skops", b"PK\x03\x04" + b"0" * 200_000)
    answer = alice.post(
        "/models/salary/upload", {"artifact": file}, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["pointer"] == "/artifact"


def test_a_refused_version_says_why_and_what_to_do(
    cast: Cast, alice: Client, salary: Version
) -> None:
    file = SimpleUploadedFile("model.pkl", b"\x80\x04\x8c\x09mycompany\x8c\x01X\x93)R.")
    place = alice.post("/models/salary/upload", {"artifact": file})["Location"]
    tasks.inspect()
    answer = alice.get(place)
    assert "This version was refused" in text(answer)
    assert "mycompany.X is your own code" in text(answer)
    assert "to_onnx(pipeline" in text(answer)
    assert "It did not come to this." in text(answer)
    assert "Promote version 2" not in text(answer)
    assert "Version 2 refused" in text(alice.get("/models"))


def test_correcting_the_signature_makes_a_new_version_and_says_why(
    cast: Cast, alice: Client, salary: Version
) -> None:
    page = alice.get("/models/salary/versions/1/signature")
    assert "Save as version 2" in text(page)
    sent = corrections(cast, **{"education.label": "Years of schooling", "education.unit": "years"})
    answer = alice.post("/models/salary/versions/1/signature", sent, follow=True)
    assert answer.redirect_chain == [("/models/salary/versions/2", 302)]
    assert "A sealed version never changes" in text(answer)
    assert "Years of schooling" in text(answer)
    new = versions(cast)[-1]
    assert (new.number, new.derived_from, new.status) == (2, 1, "ready")
    fields: Any = new.signature
    field = next(f for f in fields["inputs"] if f["name"] == "education")
    assert field["edited"] == ["label", "unit"]


def test_a_correction_that_contradicts_itself_is_said_beside_its_field(
    cast: Cast, alice: Client, salary: Version
) -> None:
    sent = corrections(cast, **{"education.minimum": 20, "education.maximum": 8})
    answer = alice.post("/models/salary/versions/1/signature", sent)
    assert answer.status_code == 422
    assert "lies above its maximum" in text(answer)
    assert len(versions(cast)) == 1


def test_a_correction_that_is_no_number_is_said_beside_its_field(
    cast: Cast, alice: Client, salary: Version
) -> None:
    sent = corrections(cast, **{"education.default": "twelve"})
    answer = alice.post("/models/salary/versions/1/signature", sent)
    assert answer.status_code == 422
    assert "“twelve” is not a number. Write it like 12 or 3.5." in text(answer)


def test_saving_a_signature_without_a_change_makes_no_version(
    cast: Cast, alice: Client, salary: Version
) -> None:
    answer = alice.post("/models/salary/versions/1/signature", corrections(cast))
    assert answer.status_code == 422
    assert "Nothing was changed" in text(answer)
    assert len(versions(cast)) == 1


def test_rolling_back_makes_the_version_before_live_again(
    cast: Cast, alice: Client, salary: Version
) -> None:
    sent = corrections(cast, **{"education.label": "Schooling"})
    alice.post("/models/salary/versions/1/signature", sent)
    alice.post("/models/salary/versions/2/promote")
    assert "Roll back to version 1" in text(alice.get("/models/salary/versions"))
    answer = alice.post("/models/salary/rollback", follow=True)
    assert "Version 1 is live again." in text(answer)
    assert "Live, version 1" in text(answer)
    history = text(alice.get("/models/salary/versions")).partition("What was live")[2]
    assert history.count("promoted") == 2
    assert history.count("rolled back to") == 1


def test_the_overview_draws_the_calls_of_each_hour_with_the_numbers_behind(
    cast: Cast, alice: Client, salary: Version
) -> None:
    assert "Calls per hour" not in text(alice.get("/models/salary"))
    with tenancy.scope(cast.acme.pk):
        for hours in (0, 3, 3):
            Prediction.objects.create(
                id=new_id(),
                at=timezone.now() - timedelta(hours=hours),
                model="salary",
                version=1,
                source="try",
                rows=2,
                milliseconds=3.0,
                request="{}",
                response="{}",
            )
    page = alice.get("/models/salary")
    assert "Calls in the last 24 hours 3 6 rows" in text(page)
    assert page.content.decode().count('<rect class="bar"') == 24
    assert page.content.decode().count('height="132.0"') == 1


def test_rolling_back_where_nothing_was_before_says_so(alice: Client, salary: Version) -> None:
    answer = alice.post("/models/salary/rollback", follow=True)
    assert "No other version was live before this one." in text(answer)


def test_a_version_that_is_not_ready_is_not_promoted(
    cast: Cast, alice: Client, salary: Version
) -> None:
    file = SimpleUploadedFile("model.pkl", b"\x80\x04\x8c\x09mycompany\x8c\x01X\x93)R.")
    alice.post("/models/salary/upload", {"artifact": file})
    answer = alice.post("/models/salary/versions/2/promote", follow=True)
    assert "only a version that is ready can be promoted" in text(answer)


def test_a_viewer_sees_everything_and_is_told_who_can_publish(cast: Cast, salary: Version) -> None:
    with tenancy.scope(cast.acme.pk):
        Membership.objects.filter(user=cast.bob).update(role=Role.VIEWER)
    bob = cast.browser(cast.bob)
    for place in ("", "/versions", "/versions/1", "/try", "/deploy"):
        answer = bob.get(f"/models/salary{place}")
        assert answer.status_code == 200
        assert "Upload a version" not in text(answer)
    assert "is for publishers, admins and owners" in text(bob.get("/models/salary"))
    assert bob.get("/models/new").status_code == 403
    assert bob.get("/models/salary/upload").status_code == 403
    assert bob.post("/models/salary/rollback").status_code == 403


@pytest.mark.parametrize(
    "place", ["", "/versions", "/versions/1", "/versions/1/stages", "/upload", "/try", "/deploy"]
)
def test_an_outsider_finds_nothing(cast: Cast, salary: Version, place: str) -> None:
    answer = cast.browser(cast.charlie).get(f"/models/salary{place}")
    assert answer.status_code == 404


@pytest.mark.parametrize("place", ["/rollback", "/versions/1/promote", "/deployments/embedded"])
def test_a_deed_is_not_done_by_looking_at_its_address(
    alice: Client, salary: Version, place: str
) -> None:
    assert alice.get(f"/models/salary{place}").status_code == 405
