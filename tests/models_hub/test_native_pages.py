"""What the pages say of versions that run natively."""

import pytest

from berth import bundle
from berth.bundle import BundleError
from models_hub import sealing
from models_hub.views.report import worst_of
from portal import tenancy
from portal.models import Organisation
from tests import natives
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def test_the_report_says_that_it_runs_natively_and_that_it_runs_its_own_code(cast: Cast) -> None:
    natives.publish(cast.acme, "odd", natives.odd())
    natives.publish(cast.acme, "own", natives.own())
    bob = cast.browser(cast.bob)
    assert "It runs natively" in bob.get("/models/odd/versions/1").content.decode()
    assert "It runs code of its own" in bob.get("/models/own/versions/1").content.decode()


def test_the_settings_offer_code_of_one_s_own_where_the_operator_does(
    cast: Cast,
) -> None:
    alice = cast.browser(cast.alice)
    assert "Code of your own" not in alice.get("/settings").content.decode()
    alice.post("/settings/own-code", {"allowed": "yes"})
    with tenancy.scope(cast.acme.pk):
        assert Organisation.objects.get(pk=cast.acme.pk).own_code
    page = alice.get("/settings").content.decode()
    assert "this installation does not offer it" in page
    alice.post("/settings/own-code", {"allowed": "no"})
    with tenancy.scope(cast.acme.pk):
        assert not Organisation.objects.get(pk=cast.acme.pk).own_code
    assert cast.browser(cast.bob).post("/settings/own-code", {}).status_code == 403


def test_only_rows_that_differ_are_shown_as_people_read_them() -> None:
    row = {"input": {"x": 1.5, "city": None}, "expected": 2.0, "got": None, "error": None}
    same = {**row, "got": 2.0, "error": 0.0}
    labels = {"expected": "a", "got": "b", "error": 0.25}
    shares = {"expected_probability": 0.5, "got_probability": 0.25}
    found = worst_of({"worst": [row, {**row, **labels, **shares}, same]})
    assert [(d.asked, d.due, d.came) for d in found] == [
        ("x\xa01.5, city\xa0–", "2", "–"),
        ("x\xa01.5, city\xa0–", "a (0.5)", "b (0.25)"),
    ]


def test_a_bundle_without_a_graph_says_that_it_is_native(cast: Cast) -> None:
    key, about = sealing.signing_key(), {"created_at": "2026-01-01T00:00:00+00:00"}
    signature = natives.own().signature
    native = bundle.seal(b"", signature, {**about, "runtime": "native"}, key)
    again = bundle.read(native.data, key.public_key())
    assert (again.onnx, again.manifest["runtime"]) == (b"", "native")
    for onnx, runtime in ((b"", "onnx"), (b"graph", "native")):
        with pytest.raises(BundleError) as error:
            bundle.seal(onnx, signature, {**about, "runtime": runtime}, key)
        assert error.value.code == "bad_manifest"
