"""A headless browser and a service for it to look at."""

import contextlib
import os
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

ROOT = Path(__file__).parents[2]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

embedded_service = runpy.run_path(str(ROOT / "examples" / "demo.py"))["embedded_service"]


def browser_program(playwright: Playwright) -> str:
    """A Chromium of this machine. Skips where there is none; in CI that is a failure."""
    found = [path for name in PROGRAMS if (path := shutil.which(name))]
    if Path(playwright.chromium.executable_path).is_file():
        found.append(playwright.chromium.executable_path)
    if found:
        return found[0]
    reason = "no Chromium is installed: apt-get install chromium, or playwright install chromium"
    if os.environ.get("CI") or os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Closed at the end; without its sandbox, which containers and root do not have. It sees loopback only."""
    with sync_playwright() as playwright:
        program = browser_program(playwright)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def careful_page(browser: Browser, url: str, **context: Any) -> Iterator[Page]:
    """A page whose scripts must not fail and which must not break its own policy.

    An answer of 4xx is no failure of the page: it is what a person is shown.
    """
    errors: list[str] = []
    opened = browser.new_context(base_url=url, accept_downloads=True, **context)
    opened.set_default_timeout(20_000)
    page = opened.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: (
            errors.append(message.text)
            if message.type in ("error", "warning") and "Failed to load resource" not in message.text
            else None
        ),
    )
    try:
        yield page
    finally:
        opened.close()
    assert errors == []
