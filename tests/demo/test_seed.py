"""The demo: Acme, its model, its careers page."""

import pytest
from django.test import Client, TestCase, override_settings

import demo.seed
from demo.data import applicants, people
from demo.finding import OWNER, find
from demo.seed import password, seed
from models_hub.models import HostedModel, Version
from portal import tenancy
from portal.actions import create_organisation
from portal.models import AuditEntry, Organisation
from predictions.models import Widget
from tests.cast import PASSWORD
from workers.models import Job, JobRow


def acme() -> Organisation:
    membership = find()
    assert membership is not None
    return membership.organisation


def counts() -> list[int]:
    with tenancy.scope(acme().pk):
        kinds = (HostedModel, Version, Widget, Job, JobRow, AuditEntry)
        return [kind.objects.count() for kind in kinds]


LIGHT = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # as the tests have it (conftest)


@override_settings(PASSWORD_HASHERS=LIGHT)
class TestSeeded(TestCase):
    """What a first `make run` leaves. Seeded once: training and inspecting take a while."""

    databases = {"default", "owner"}

    @classmethod
    def setUpTestData(cls) -> None:
        seed()

    def test_a_model_is_live_and_its_questions_have_words(self) -> None:
        with tenancy.scope(acme().pk):
            model = HostedModel.objects.select_related("live").get()
        assert model.slug == "salary"
        assert model.live is not None
        assert model.live.signature is not None
        assert model.live.metrics["r2"] > 0.8
        fields = {field["name"]: field for field in model.live.signature["inputs"]}
        assert fields["years_of_experience"]["label"] == "Years of experience"
        assert fields["years_of_experience"]["unit"] == "years"
        assert fields["level"]["choices"][0] == "Junior"
        assert fields["education"]["nullable"]
        assert model.live.signature["output"]["unit"] == "EUR per year"

    def test_a_file_is_scored(self) -> None:
        with tenancy.scope(acme().pk):
            job = Job.objects.get()
            assert (job.status, job.rows_total) == ("succeeded", 1_200)
            assert JobRow.objects.filter(error=None, value__gt=20_000).count() == 1_200
            assert JobRow.objects.filter(key="A-0001").count() == 1

    def test_seeding_again_changes_nothing(self) -> None:
        before = counts()
        assert seed() == f"{OWNER} with the password {password()}"
        assert counts() == before

    def test_the_sign_in_works_and_home_shows_what_was_made(self) -> None:
        browser = Client()
        form = {"login": OWNER, "password": password()}
        assert browser.post("/accounts/login/", form).status_code == 302
        page = browser.get("/").content.decode()
        for shown in ("Alice Arnold", "Live, version", "applicants.csv", "4 of 6 done"):
            assert shown in page

    def test_a_password_that_was_changed_is_neither_printed_nor_set_back(self) -> None:
        membership = find()
        assert membership is not None
        membership.user.set_password(PASSWORD)
        membership.user.save()
        assert seed() == f"{OWNER} with the password that you gave her"
        membership.user.refresh_from_db()
        assert membership.user.check_password(PASSWORD)

    def test_the_careers_page_shows_the_widget_to_everybody(self) -> None:
        with tenancy.scope(acme().pk):
            key = Widget.objects.get().key_id
        page = Client().get("/demo/careers")
        assert page.status_code == 200
        assert f'<berth-widget key="{key}">' in page.content.decode()
        form = Client().get(f"/w/{key}").content.decode()
        assert "What could you earn at Acme?" in form
        assert "Years of experience" in form


@pytest.mark.django_db(databases=["default", "owner"])
def test_a_seeding_that_was_interrupted_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for step in ("_upload", "correct_signature", "promote", "create_widget", "submit_job"):
        with monkeypatch.context() as interrupted:
            interrupted.setattr(demo.seed, step, fail)
            with pytest.raises(KeyboardInterrupt):
                seed()
    seed()
    assert counts()[:4] == [1, 2, 1, 1]


@pytest.mark.django_db(databases=["default", "owner"])
def test_an_organisation_of_the_same_slug_is_left_alone() -> None:
    create_organisation("acme", "Another Acme", "eve@acme.example", PASSWORD)
    assert seed() is None
    assert Client().get("/demo/careers").status_code == 404


@pytest.mark.django_db(databases=["default", "owner"])
def test_without_a_demo_there_is_no_careers_page() -> None:
    assert Client().get("/demo/careers").status_code == 404


def test_the_same_seed_draws_the_same_people() -> None:
    assert people(200, seed=7) == people(200, seed=7)
    assert people(200, seed=7) != people(200, seed=8)


def test_applicants_have_an_id_and_no_salary() -> None:
    head, first, *_ = applicants(3).splitlines()
    assert head.startswith("applicant,role,level,department")
    assert "salary" not in head
    assert first.startswith("A-0001,")
