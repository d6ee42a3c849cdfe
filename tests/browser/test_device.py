"""The applicant's own device answers: nothing typed is sent, and no connection is needed."""

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.browser.sites import Site, site_running
from tests.browser.test_widget import Open, browser, faults, frame_of, heard
from tests.instance import PASSWORD, Instance, wait_for

__all__ = ["browser"]
TYPED = "17.25"  # in no address, header or body may any writing of this stand
LANES = ["light", "heavy"]


@pytest.fixture(scope="module")
def keys(instance: Instance, site: Site) -> dict[str, str]:
    """The widgets' keys by lane."""
    owner = f"{secrets.token_hex(4)}@acme.example"
    given = (f"device-{owner[:8]}", owner, PASSWORD, [site.allowed])
    code = f"from tests.browser.seeding import seed_device_widget as seed; seed(*{given})"
    done = instance.manage("shell", "-v", "0", "-c", code)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def site(instance: Instance) -> Iterator[Site]:
    with site_running() as running:
        running.berth = instance.base_url
        yield running


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    contexts: list[BrowserContext] = []

    def open_(address: str, **settings: Any) -> Page:
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()


def loaded(page: Page) -> None:
    """Wait until the model is there and has answered its own rows."""
    marks = "performance.getEntriesByName('berth:model').length"
    wait_for(lambda: page.evaluate(marks) > 0, 20, "the model is there")


def ask(page: Any, experience: str) -> None:
    page.get_by_label("Experience").fill(experience)
    page.get_by_label("west").check()
    page.get_by_role("button", name="Show my estimate").click()


@pytest.mark.parametrize("lane", LANES)
def test_no_request_carries_what_is_typed(
    opened: Open, site: Site, keys: dict[str, str], lane: str
) -> None:
    page = opened(f"{site.berth}/w/{keys[lane]}")
    loaded(page)
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one))
    ask(page, TYPED)
    expect(page.get_by_role("status")).to_contain_text("About EUR\u00a048,200 per year")
    expect(page.get_by_text("Computed on your device; nothing you type is sent.")).to_be_visible()
    expect(page.get_by_text("Your answers are sent to")).to_be_hidden()
    page.wait_for_timeout(300)
    told = [f"{one.url} {one.post_data or ''} {one.headers}" for one in asked]
    assert not [one for one in told if re.search("17.25|west", one)], told
    assert [one.url for one in asked if one.method != "GET"] == []


@pytest.mark.parametrize("lane", LANES)
def test_it_answers_without_a_connection_once_it_is_loaded(
    opened: Open, site: Site, keys: dict[str, str], lane: str
) -> None:
    page = opened(f"{site.berth}/w/{keys[lane]}")
    loaded(page)
    page.context.set_offline(True)
    ask(page, "12,5")
    expect(page.get_by_role("status")).to_contain_text("About EUR\u00a043,500 per year")
    ask(page, "abc")
    expect(
        page.get_by_role("link", name="Experience: Enter a number, such as 12.5.")
    ).to_be_visible()
    expect(page).to_have_title("Problem: What could you earn? · Acme")
    ask(page, "55")
    expect(page.get_by_text("Experience: the model learned from 0 to 40.")).to_be_visible()
    expect(page).to_have_title("Your estimate: What could you earn? · Acme")


@pytest.mark.parametrize("lane", LANES)
def test_the_page_can_reach_nothing_but_the_model_and_then_nothing_at_all(
    opened: Open, site: Site, keys: dict[str, str], lane: str
) -> None:
    page = opened("about:blank")
    answer = page.goto(f"{site.berth}/w/{keys[lane]}")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    reached = re.findall(r"connect-src ([^;]*)", policy)[0].split()
    assert reached[0].startswith(f"{site.berth}/w/{keys[lane]}/bundle/")
    assert len(reached) == (1 if lane == "light" else 2)
    loaded(page)
    fetched = "fetch(ADDRESS).then(() => 'reached', () => 'blocked')"
    for address in (reached[0], f"{site.berth}/w/{keys[lane]}", "/static/berth/favicon.svg"):
        assert page.evaluate(fetched.replace("ADDRESS", json.dumps(address))) == "blocked"
    posts: list[str] = []
    page.on("request", lambda one: posts.append(one.url) if one.method == "POST" else None)
    page.evaluate("document.querySelector('form').submit()")
    page.wait_for_timeout(300)
    assert posts == []


def test_a_model_that_does_not_arrive_is_said_and_nothing_is_sent(
    opened: Open, site: Site, keys: dict[str, str]
) -> None:
    page = opened("about:blank")
    page.route("**/bundle/**", lambda route: route.abort())
    posts: list[str] = []
    page.on("request", lambda one: posts.append(one.url) if one.method == "POST" else None)
    page.goto(f"{site.berth}/w/{keys['light']}")
    ask(page, TYPED)
    expect(page.get_by_role("alert")).to_contain_text("The model could not be loaded")
    page.unroute("**/bundle/**")
    page.get_by_role("button", name="Show my estimate").click()
    expect(page.get_by_role("status")).to_contain_text("About EUR\u00a048,200 per year")
    assert posts == []


def test_without_javascript_the_page_says_that_it_sends_and_the_portal_answers(
    opened: Open, site: Site, keys: dict[str, str]
) -> None:
    page = opened(f"{site.berth}/w/{keys['light']}", java_script_enabled=False)
    expect(page.get_by_text("Your answers are sent to Acme")).to_be_visible()
    expect(page.get_by_text("Computed on your device")).to_be_hidden()
    ask(page, "12,5")
    expect(page.get_by_role("status")).to_contain_text("43,500")


def test_inside_another_site_the_site_hears_the_estimate_alone(
    browser: Browser, site: Site, keys: dict[str, str]
) -> None:
    site.key = keys["light"]
    page = browser.new_context().new_page()
    page.add_init_script(
        "window.heard = []; for (const name of ['ready', 'submit', 'result', 'error'])"
        " addEventListener(`berth:${name}`, (event) => heard.push([name, event.detail]));"
    )
    page.goto(f"{site.allowed}/")
    frame = frame_of(page)
    ask(frame, TYPED)
    expect(frame.get_by_role("status")).to_contain_text("48,200")
    assert heard(page)[-1] == [
        "result",
        {"text": "EUR\u00a048,200 per year", "value": 48_200, "unit": "EUR per year"},
    ]
    assert TYPED not in json.dumps(heard(page))
    page.context.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_at_every_step(
    opened: Open, site: Site, keys: dict[str, str], scheme: str, width: int
) -> None:
    page = opened(
        f"{site.berth}/w/{keys['light']}",
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
        bypass_csp=True,  # for axe alone
    )
    for experience, shown in (
        ("abc", "There is a problem"),
        ("55", "Unusual for this model"),
        ("12", "About"),
    ):
        ask(page, experience)
        expect(page.get_by_text(shown).first).to_be_visible()
        assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
