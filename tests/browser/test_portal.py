"""The portal as a person uses it, in a real browser: from signing in to a finished job."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from tests.instance import PASSWORD, Instance
from tests.pipelines import wages

OWNER = "dora@harbour.example"
SLOW = 90_000  # milliseconds; an inspection on a machine that does other things
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def page(instance: Instance, require: Callable[[str], str]) -> Iterator[Page]:
    """A page of Dora's, who owns an empty organisation."""
    instance.create_organisation("harbour", OWNER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(base_url=instance.base_url)
        page.goto("/")
        yield page
        browser.close()


def assert_sound(page: Page) -> None:
    """No fault that axe finds, and nothing that scrolls sideways."""
    found = Axe().run(page).response
    assert found["passes"], "axe did not look at the page"
    assert [one["id"] for one in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_signing_in(page: Page) -> None:
    assert_sound(page)
    page.get_by_label("E-mail address").fill(OWNER)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("not correct")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    assert_sound(page)


def test_uploading_and_promoting(page: Page, tmp_path: Path) -> None:
    (tmp_path / "wage.skops").write_bytes(wages().skops)
    (tmp_path / "people.csv").write_bytes(wages().sample)
    page.goto("/models/new")
    page.get_by_label("Name").fill("Wage estimate")
    page.get_by_role("button", name="Make the model").click()
    expect(page).to_have_url(re.compile("/models/wage-estimate/upload"))
    page.locator("input[name=artifact]").set_input_files(tmp_path / "wage.skops")
    page.locator("input[name=sample]").set_input_files(tmp_path / "people.csv")
    page.get_by_label("Column to predict").fill("wage")
    assert_sound(page)
    page.get_by_role("button", name="Upload the version").click()
    expect(page).to_have_url(re.compile("/models/wage-estimate/versions/1"))
    # The stages come and the outcome appears without a reload.
    promote = page.get_by_role("button", name="Promote version 1")
    expect(promote.first).to_be_visible(timeout=SLOW)
    assert_sound(page)
    promote.first.click()
    page.get_by_role("dialog").get_by_role("button", name="Promote version 1").click()
    expect(page.get_by_text("Live").first).to_be_visible()


def test_trying_it(page: Page) -> None:
    page.goto("/models/wage-estimate/try")
    assert_sound(page)
    page.locator("#predict").click()
    expect(page.get_by_text("The exact call")).to_be_visible()
    assert_sound(page)


def test_a_job(page: Page, tmp_path: Path) -> None:
    rows = tmp_path / "people.csv"
    rows.write_bytes(wages().sample)
    page.goto("/jobs/new")
    page.locator("input[type=file]").set_input_files(rows)
    assert_sound(page)
    page.get_by_role("button", name="Start the job").click()
    expect(page).to_have_url(re.compile(r"/jobs/[0-9a-f-]{36}"))
    expect(page.get_by_role("heading", name="The first rows of the result")).to_be_visible(
        timeout=SLOW
    )
    expect(page.get_by_text("Succeeded").first).to_be_visible()
    assert_sound(page)
