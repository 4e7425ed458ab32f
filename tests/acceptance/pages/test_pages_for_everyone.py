"""The pages in headless Chromium: accessible, narrow, dark and light, by keyboard alone."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import careful_page
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def addresses(grid_id: str, fit_id: str) -> dict[str, tuple[str, str]]:
    """Every page with what tells that it is full."""
    return {
        "home": ("/", "#jobs table"),
        "new job": ("/new", "#plan dl"),
        "decomposition": (f"/jobs/{grid_id}", "figure svg.plot"),
        "fit": (f"/jobs/{fit_id}", "figure svg.plot"),
        "unknown job": ("/jobs/job_0", ".problem"),
        "models": ("/models", "#models table"),
        "model": ("/models/known-target", "#embed"),
        "catalogue": ("/catalogue", "article"),
        "comparison": (f"/compare?job={grid_id}", "#comparison svg.plot"),
        "documentation": ("/docs", ".opblock"),
    }


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_above_minor(
    browser: Browser, url: str, addresses: dict[str, tuple[str, str]], colours: Any
) -> None:
    axe, found = Axe(), []
    # Swagger UI is not ours to mend.
    scope = {"exclude": [["#swagger"]]}
    for name, (address, full) in addresses.items():
        with careful_page(browser, url, color_scheme=colours) as page:
            page.goto(address)
            page.wait_for_selector(full)
            for violation in axe.run(page, context=scope).response["violations"]:
                if violation["impact"] != "minor":
                    targets = [node["target"] for node in violation["nodes"][:3]]
                    found.append((name, violation["id"], len(violation["nodes"]), targets))
    assert found == []


def test_every_page_fits_400_pixels(browser: Browser, url: str, addresses: dict[str, tuple[str, str]]) -> None:
    wide = {}
    for name, (address, full) in addresses.items():
        with careful_page(browser, url, viewport={"width": 400, "height": 800}) as page:
            page.goto(address)
            page.wait_for_selector(full)
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > 400:
                wide[name] = width
    assert wide == {}


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_colours_follow_the_button_and_stay(page: Page) -> None:
    page.goto("/catalogue")
    light = background(page)
    button = page.get_by_role("button", name="Colours")
    button.click()
    assert background(page) == light
    button.click()
    dark = background(page)
    assert dark != light
    page.reload()
    assert background(page) == dark


def test_whole_pages_work_from_the_keyboard(page: Page) -> None:
    page.goto("/catalogue")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.get_by_label("Find").focus()
    page.keyboard.type("barron_norm_lower")
    expect(page.locator("article.kind:visible")).to_have_count(1)
