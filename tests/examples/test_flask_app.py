"""The careers site that embeds a model by following it."""

import pytest

from berth.bundle import Bundle
from tests.examples.site import Site, asked
from tests.instance import wait_for
from tests.runtime.feed.fake import FakePortal

ROW = {"experience": 5, "education": 12, "region": "north"}


def until(site: Site, version: int | None) -> None:
    wait_for(lambda: site.version() == version, 20, f"version {version}")


def test_its_form_is_drawn_from_the_signature_and_answers(
    portal: FakePortal, bundles: list[Bundle], site: Site
) -> None:
    portal.promote(bundles[1], 2)
    until(site, 2)
    page = site.client.get("/").text
    for words in ('name="experience"', "0 to 40", "<option>east</option>", "Education"):
        assert words in page
    answered = site.client.post("/estimate", data={**ROW, "experience": "5,5"})
    assert answered.status_code == 200
    assert "2,010 USD" in answered.text
    assert "version 2" in answered.text
    assert "<option selected>north</option>" in answered.text


def test_what_can_not_be_read_is_said_beside_its_field(
    portal: FakePortal, bundles: list[Bundle], site: Site
) -> None:
    portal.promote(bundles[0], 1)
    until(site, 1)
    refused = site.client.post("/estimate", data={**ROW, "experience": "<many>"})
    assert refused.status_code == 422
    assert 'class="error"' in refused.text
    assert "&lt;many&gt;" in refused.text
    assert "<many>" not in refused.text
    told = site.client.post("/estimate", json={**ROW, "experience": "many"})
    assert list(told.json()["errors"]) == ["experience"]


def test_it_swaps_under_load_without_one_failed_or_mixed_answer(
    portal: FakePortal, bundles: list[Bundle], site: Site
) -> None:
    portal.promote(bundles[0], 1)
    until(site, 1)
    with asked(site, ROW) as answers:
        for number in (2, 3, 2):
            portal.promote(bundles[number - 1], number)
            answers(number)


def test_it_answers_with_the_portal_gone_and_says_which_version(
    portal: FakePortal, bundles: list[Bundle], site: Site
) -> None:
    portal.promote(bundles[0], 1)
    until(site, 1)
    portal.down()
    wait_for(lambda: not site.client.get("/health").json()["connected"], 20, "the outage")
    assert site.client.get("/health").status_code == 200
    assert site.client.post("/estimate", json=ROW).json()["version"] == 1


@pytest.mark.parametrize("published", [True, False])
def test_a_model_that_is_not_there_is_said_plainly(
    published: bool, portal: FakePortal, bundles: list[Bundle], site: Site
) -> None:
    if published:
        portal.promote(bundles[0], 1)
        until(site, 1)
        portal.withdraw()
        until(site, None)
    code, words = ("withdrawn", "no estimates") if published else ("not_there", "on its way")
    assert words in site.client.get("/").text
    told = site.client.post("/estimate", json=ROW)
    assert (told.status_code, told.json()["code"]) == (503, code)
    assert site.client.get("/health").status_code == 503
