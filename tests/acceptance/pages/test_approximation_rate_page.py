"""A measurement of approximation rates in the browser: the sentence, the figure, the exponents."""

import csv
import io
from pathlib import Path

import httpx
import pytest
from page_jobs import TARGET, finished
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RATES = {
    "kind": "approximation_rate",
    "data": TARGET,
    "hypothesis_space": [{"kind": "random_features"}, {"kind": "piecewise_linear"}],
    "widths": [8, 27, 64],
    "seeds": 2,
    "test_size": 1000,
    "reference": {"effort": "quick"},
}


def test_rates_are_read_drawn_and_downloaded(page: Page, client: httpx.Client) -> None:
    job_id = finished(client, RATES)
    spaces = client.get(f"/v1/jobs/{job_id}/result").json()["spaces"]
    page.goto(f"/jobs/{job_id}")
    for space in spaces:
        expect(page.locator("#advice")).to_contain_text(space["reading"])
    figure = page.locator("figure", has=page.get_by_role("heading", name="Error of the best function over m"))
    expect(figure.locator("g[data-mark='dot'] circle")).to_have_count(6)
    # Both exponents are fitted, the mesh has a promise besides.
    expect(figure.locator("g[data-mark='line'] path")).to_have_count(3)
    with page.expect_download() as download:
        figure.get_by_role("button", name="Download CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    wanted = [error["value"] for space in spaces for error in space["errors"]]
    assert [float(row["value"]) for row in rows] == pytest.approx(wanted)
