"""A running service, a browser, and finished jobs, once for each module."""

from collections.abc import Iterator

import httpx
import pytest
from browsing import careful_page, embedded_service, running_browser
from page_jobs import FIT, GRID, finished
from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_service(tmp_path_factory.mktemp("pages") / "data") as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as found:
        yield found


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with careful_page(browser, url) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as opened:
        yield opened


@pytest.fixture(scope="module")
def grid_id(client: httpx.Client) -> str:
    return finished(client, GRID)


@pytest.fixture(scope="module")
def fit_id(client: httpx.Client) -> str:
    return finished(client, FIT)
