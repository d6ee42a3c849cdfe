"""The applicant's page and the widget in a real browser, on the portal and on other sites."""

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect, sync_playwright

from tests.browser.sites import Site, site_running
from tests.instance import PASSWORD, Instance

OWNER = f"{secrets.token_hex(4)}@acme.example"
HEARD = """window.heard = [];
for (const name of ["ready", "submit", "result", "error"])
  addEventListener(`berth:${name}`, (event) => heard.push([name, event.detail]));"""
Open = Callable[..., Page]


@pytest.fixture(scope="session")
def site(instance: Instance) -> Iterator[Site]:
    """A site that may show the widget of a live model under one of its two names."""
    with site_running() as running:
        given = (f"acme-{OWNER[:8]}", OWNER, PASSWORD, [running.allowed])
        code = f"from tests.browser.seeding import seed_widget; seed_widget(*{given})"
        done = instance.manage("shell", "-v", "0", "-c", code)
        assert done.returncode == 0, done.stderr
        running.berth = instance.base_url
        running.key = json.loads(done.stdout.splitlines()[-1])["key"]
        yield running


@pytest.fixture(scope="module")
def browser(require: Callable[[str], str]) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=require("chromium"), args=["--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, site: Site) -> Iterator[Open]:
    """Opens an address in a browser of its own, which must end without a cookie."""
    contexts: list[BrowserContext] = []

    def open_(address: str, *, cookies: bool = False, **settings: Any) -> Page:
        context = browser.new_context(**settings)
        if not cookies:
            contexts.append(context)
        page = context.new_page()
        if settings.get("java_script_enabled", True):
            page.add_init_script(HEARD)
        page.goto(address)
        return page

    site.css = ""
    yield open_
    for context in contexts:
        assert context.cookies() == []
        context.close()


@pytest.fixture
def hosted(site: Site) -> str:
    return f"{site.berth}/w/{site.key}"


def faults(page: Page | Frame) -> list[str]:
    """What axe finds, in short."""
    found = Axe().run(page).response
    assert found["passes"], "axe did not look at the page"
    return [f"{one['id']}: {[n['html'][:80] for n in one['nodes']]}" for one in found["violations"]]


def fill_in(page: Page | Frame, experience: str = "12,5") -> None:
    page.get_by_label("Experience").fill(experience)
    page.get_by_label("west").check()
    page.get_by_role("button", name="Show my estimate").click()


def frame_of(page: Page) -> Frame:
    """The widget's frame, once it has said that it is ready."""
    expect(page.locator("berth-widget iframe")).to_be_visible(timeout=15_000)
    return page.frames[1]


def heard(page: Page) -> list[Any]:
    events: list[Any] = page.evaluate("heard")
    return events


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_at_every_step(
    opened: Open, hosted: str, scheme: str, width: int
) -> None:
    page = opened(hosted, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert faults(page) == []
    fill_in(page, "abc")
    expect(page.get_by_text("There is a problem")).to_be_visible()
    assert faults(page) == []
    fill_in(page, "55")
    expect(page.get_by_text("Unusual for this model")).to_be_visible()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_answers_in_its_place_and_announces_the_answer(opened: Open, hosted: str) -> None:
    page = opened(hosted)
    page.evaluate("window.same = true")
    fill_in(page)
    expect(page.get_by_role("status")).to_contain_text("About EUR\u00a043,500 per year")
    assert page.evaluate("window.same")
    expect(page).to_have_title("Your estimate: What could you earn? · Acme")
    page.get_by_label("Experience").fill("3")
    expect(page.get_by_text("You have changed an answer since")).to_be_visible()


def test_the_keyboard_is_enough(opened: Open, hosted: str) -> None:
    page = opened(hosted)
    page.keyboard.press("Tab")
    page.keyboard.type("7")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("About EUR\u00a038,000")
    assert page.evaluate("document.activeElement.type") == "radio"


def test_errors_take_the_focus_and_lead_to_their_fields(opened: Open, hosted: str) -> None:
    page = opened(hosted)
    page.get_by_role("button").click()
    expect(page.locator(".errors")).to_be_focused()
    page.get_by_role("link", name="Experience: Fill this in.").click()
    expect(page.get_by_label("Experience")).to_be_focused()
    expect(page.get_by_label("Experience")).to_have_accessible_description(
        "years Usually 0 to 40. Fill this in."
    )


def test_it_works_without_javascript(opened: Open, hosted: str) -> None:
    page = opened(hosted, java_script_enabled=False, viewport={"width": 390, "height": 500})
    fill_in(page, "abc")
    expect(page.locator(".errors")).to_be_focused()
    expect(page.get_by_label("Experience")).to_have_value("abc")
    fill_in(page)
    expect(page.get_by_text("About EUR")).to_be_in_viewport()


def test_without_a_connection_it_says_so_and_keeps_what_was_written(
    opened: Open, hosted: str
) -> None:
    page = opened(hosted)
    page.context.set_offline(True)
    fill_in(page)
    expect(page.get_by_role("alert")).to_contain_text("You are offline")
    page.context.set_offline(False)
    expect(page.get_by_label("Experience")).to_have_value("12,5")
    page.route("**/w/*", lambda route: route.abort())
    page.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be reached")
    page.unroute("**/w/*")
    page.get_by_role("button").click()
    expect(page.get_by_role("status")).to_contain_text("About EUR")
    expect(page.get_by_role("alert")).to_be_empty()


def test_while_it_works_the_button_says_so_and_keeps_its_width(opened: Open, hosted: str) -> None:
    page = opened(hosted)
    held: list[Any] = []
    page.route("**/w/*", lambda route: held.append(route))
    button = page.locator("button.ask")
    before = button.bounding_box()
    fill_in(page)
    expect(page.locator("form")).to_have_attribute("aria-busy", "true")
    expect(page.get_by_text("Working…")).to_be_visible()
    assert button.bounding_box() == before
    held[0].continue_()
    expect(page.locator("form")).to_have_attribute("aria-busy", "false")


def test_on_an_allowed_site_it_grows_and_tells_what_happened_but_not_what_was_written(
    opened: Open, site: Site
) -> None:
    page = opened(site.allowed)
    frame = frame_of(page)
    assert page.locator("iframe").get_attribute("title") == "Salary estimate"
    before = page.locator("iframe").bounding_box()
    fill_in(frame)
    expect(frame.get_by_text("About EUR")).to_be_visible()
    page.wait_for_timeout(200)
    after = page.locator("iframe").bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] > before["height"]
    assert frame.evaluate("document.documentElement.scrollHeight <= innerHeight")
    names = [name for name, _ in heard(page)]
    assert names == ["ready", "submit", "result"]
    result = heard(page)[-1][1]
    assert set(result) == {"id", "text", "value", "unit"}
    assert (result["value"], result["unit"]) == (43_500, "EUR per year")
    assert faults(page) == []
    assert faults(frame) == []


def test_the_sites_look_is_taken_on(opened: Open, site: Site) -> None:
    site.css = """berth-widget { --berth-accent: oklch(.5 .2 0); --berth-bg: #fff7f0;
        --berth-fg: #2b1a10; --berth-radius: 1px; --berth-font: Georgia, serif }"""
    frame = frame_of(opened(site.allowed))
    style = "getComputedStyle(document.querySelector('{}')).{}".format
    assert frame.evaluate(style("body", "backgroundColor")) == "rgb(255, 247, 240)"
    assert frame.evaluate(style("body", "color")) == "rgb(43, 26, 16)"
    assert frame.evaluate(style("body", "fontFamily")) == "Georgia, serif"
    assert frame.evaluate(style("button", "borderRadius")) == "1px"
    assert faults(frame) == []


@pytest.mark.parametrize(
    "css",
    [
        "--berth-bg: #777; --berth-fg: #888; --berth-accent: #767676; --berth-muted: #7f7f7f",
        "--berth-bg: #14213d",
        "--berth-accent: #ffef9f",
        "--berth-fg: #eee",
        "--berth-bg: url(x); --berth-fg: red; --berth-font: env(x); --berth-radius: calc(1em)",
    ],
)
def test_no_look_makes_it_unreadable(opened: Open, site: Site, css: str) -> None:
    site.css = f"berth-widget {{ {css} }}"
    frame = frame_of(opened(site.allowed))
    fill_in(frame, "abc")
    expect(frame.get_by_text("There is a problem")).to_be_visible()
    assert faults(frame) == []
    fill_in(frame, "55")
    expect(frame.get_by_text("Unusual for this model")).to_be_visible()
    assert faults(frame) == []


def test_it_follows_the_sites_scheme_and_an_explicit_theme(opened: Open, site: Site) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page = opened(site.allowed, color_scheme="dark")
    light = frame_of(page).evaluate(ground)
    page.locator("berth-widget").evaluate("(widget) => widget.setAttribute('theme', 'auto')")
    page.wait_for_timeout(200)
    assert page.frames[1].evaluate(ground) != light
    site.css = ":root { color-scheme: dark }"
    assert frame_of(opened(site.allowed)).evaluate(ground) != light


def test_on_another_site_the_browser_refuses_it_and_a_link_stands_in(
    opened: Open, site: Site
) -> None:
    page = opened(site.other)
    link = page.get_by_role("link", name="Salary estimate")
    expect(link).to_be_visible(timeout=15_000)
    assert link.get_attribute("href") == f"{site.berth}/w/{site.key}"
    assert heard(page) == [["error", {"status": 0, "reason": "blocked"}]]
    assert page.locator("iframe").count() == 0


def test_forged_messages_are_not_heard(opened: Open, site: Site) -> None:
    page = opened(site.allowed)
    frame = frame_of(page)
    page.evaluate("postMessage({type: 'berth:result', detail: {value: 1}}, '*')")
    frame.evaluate("postMessage({type: 'berth:hello', detail: {bg: '#000', radius: '9px'}}, '*')")
    frame.evaluate("parent.postMessage({type: 'berth:anything', detail: {}}, '*')")
    page.wait_for_timeout(300)
    assert [name for name, _ in heard(page)] == ["ready"]
    assert frame.evaluate("document.documentElement.style.getPropertyValue('--radius')") == ""


def test_it_loads_only_when_a_visitor_comes_near_it(opened: Open, site: Site) -> None:
    site.css = "h1 { margin-block-end: 5000px }"
    page = opened(site.allowed)
    page.wait_for_timeout(500)
    assert len(page.frames) == 1
    page.evaluate("scrollTo(0, 4600)")
    frame_of(page)


def test_the_portal_shows_the_live_form_and_knows_that_a_site_has_shown_it(
    opened: Open, site: Site
) -> None:
    frame_of(opened(site.allowed))
    page = opened(f"{site.berth}/widgets/{site.key}", cookies=True)
    page.locator("input[name=login]").fill(OWNER)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Seen on your site")).to_be_visible()
    expect(frame_of(page).get_by_text("What could you earn?")).to_be_visible()
    assert faults(page) == []
    page.context.close()
