"""The pages in headless Chromium against a whole running service: what they do."""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import httpx
import numpy as np
import pytest
from browsing import careful_page, embedded_service
from page_jobs import ENDLESS, LONG_GRID, submit
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WATCH_PROGRESS = """() => {
    window.seen = [];
    const look = () => {
        const bar = document.querySelector(".live progress");
        if (bar?.hasAttribute("value") && !window.seen.includes(bar.value)) window.seen.push(bar.value);
    };
    new MutationObserver(look).observe(document.getElementById("job"), {
        subtree: true, childList: true, attributes: true,
    });
}"""


def table(path: Path) -> Path:
    random = np.random.default_rng(0)
    lines = ["size,colour,price"]
    for size, colour in zip(random.uniform(1, 9, 200), random.choice(["red", "green"], 200), strict=True):
        lines.append(f"{size:.4f},{colour},{3 * size + (5 if colour == 'red' else 0) + random.normal() / 10:.4f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_table_is_uploaded_fitted_and_predicted(page: Page, client: httpx.Client, tmp_path: Path) -> None:
    page.goto("/new")
    page.get_by_label("Fit", exact=True).check()
    page.get_by_label("Kind").first.select_option("dataset")
    page.locator("input[type=file]").set_input_files(table(tmp_path / "prices.csv"))
    # Roles are proposed: the last number is the target, a text of few values a category.
    expect(page.get_by_label("Role of price")).to_have_value("target")
    expect(page.get_by_label("Role of colour")).to_have_value("category")
    expect(page.get_by_label("Role of size")).to_have_value("feature")
    page.locator("select[data-pointer='/hypothesis_space/kind']").select_option("random_features")
    page.locator("input[data-pointer='/hypothesis_space/width']").fill("100")
    page.locator("select[data-pointer='/learner/kind']").select_option("ridge")
    page.locator("input[data-pointer='/sample_size']").fill("")
    page.locator("input[data-pointer='/model_name']").fill("prices")
    expect(page.locator("#plan")).to_contain_text("Memory")
    page.get_by_text("As curl").click()
    expect(page.get_by_label("As curl")).to_contain_text('"model_name": "prices"')
    shown = page.get_by_label("As curl").inner_text()
    spec = json.loads(shown.split("<<'JSON'\n")[1].removesuffix("JSON"))["spec"]
    assert spec["data"]["target_columns"] == ["price"]
    assert spec["data"]["category_columns"] == ["colour"]
    page.get_by_role("button", name="Submit the job").click()
    page.wait_for_url("**/jobs/job_*")
    expect(page.locator(".job-head .badge")).to_contain_text("succeeded", timeout=60_000)
    job = client.get(f"/v1/jobs/{page.url.rsplit('/', 1)[1]}").json()
    assert client.post("/v1/jobs?dry_run=true", json={"spec": spec}).status_code == 200
    assert {name: job["spec"]["data"][name] for name in spec["data"]} == spec["data"]
    expect(page.get_by_role("heading", name="Bounds on the population risk")).to_be_visible()

    page.get_by_role("link", name="prices").click()
    page.get_by_label("size", exact=True).fill("4")
    page.get_by_label("colour", exact=True).select_option("red")
    page.get_by_role("button", name="Predict").click()
    wanted = client.post("/v1/models/prices/predict", json={"records": [{"size": 4, "colour": "red"}]}).json()
    expect(page.locator("#prediction dd")).to_have_text(f"{float(wanted['predictions'][0][0]):.6g}")
    with page.expect_download() as download:
        page.get_by_role("button", name="ONNX").click()
    assert Path(download.value.path()).read_bytes() == client.get("/v1/models/prices/versions/1/export").content
    page.get_by_label("Point an alias at version 1").fill("production")
    page.get_by_role("button", name="Point", exact=True).click()
    expect(page.get_by_role("button", name="Remove the alias production")).to_be_visible()
    assert client.get("/v1/models/prices/versions/production").json()["version"] == 1


def test_progress_is_live_and_ends_in_the_budget(page: Page, client: httpx.Client) -> None:
    job_id = submit(client, LONG_GRID)
    page.goto(f"/jobs/{job_id}")
    page.evaluate(WATCH_PROGRESS)
    expect(page.locator("#advice")).to_be_visible(timeout=120_000)
    expect(page.locator(".job-head .badge")).to_contain_text("succeeded")
    seen = page.evaluate("window.seen")
    assert len(seen) > 2
    assert seen == sorted(seen)


def test_budget_figure_and_its_files_hold_the_terms(page: Page, client: httpx.Client, grid_id: str) -> None:
    page.goto(f"/jobs/{grid_id}")
    figure = page.locator("figure", has=page.get_by_role("heading", name="Error budget over n"))
    figure.get_by_label("at", exact=True).select_option("32")
    cells = client.get("/v1/decompositions", params={"job_id": grid_id, "width": 32, "order": "asc"}).json()["data"]
    terms = ("approximation", "estimation", "optimization")
    wanted = {(c["sample_size"], t): c["risk_terms"][t]["value"] for c in cells for t in terms}
    with page.expect_download() as download:
        figure.get_by_role("button", name="Download CSV").click()
    rows = csv.DictReader(io.StringIO(Path(download.value.path()).read_text()))
    found = {(int(row["sample_size"]), row["term"]): float(row["value"]) for row in rows}
    assert {place: value for place, value in found.items() if place[1] in terms} == pytest.approx(wanted)
    for cell in cells:
        excess = cell["risks"]["trained"]["value"] - cell["risks"]["noise"]["value"]
        assert found[cell["sample_size"], "excess risk"] == pytest.approx(excess)

    # A bar's height is its value, and a negative one hangs below the line of zero.
    scale = figure.locator("g[data-mark='rect'] rect").evaluate_all(
        "bars => bars.map(bar => [bar.querySelector('title').textContent,"
        " +bar.getAttribute('y'), +bar.getAttribute('height')])"
    )
    heights = {text.split(": ")[0]: (y, height) for text, y, height in scale}
    unit = max(abs(value) for value in wanted.values()) / max(height for _, height in heights.values())
    zero = heights["approximation at n = 32"]
    for (size, term), value in wanted.items():
        y, height = heights[f"{term} at n = {size}"]
        assert height * unit == pytest.approx(abs(value), rel=1e-3, abs=unit)
        if value < -3 * unit:
            assert y == pytest.approx(sum(zero), abs=0.6)
    assert min(wanted.values()) < 0

    with page.expect_download() as download:
        figure.get_by_role("button", name="Download SVG").click()
    drawing = ElementTree.fromstring(Path(download.value.path()).read_text())  # noqa: S314
    text = " ".join(drawing.itertext())
    assert "Error budget over n, m = 32" in text
    assert "estimation" in text
    assert "var(" not in ElementTree.tostring(drawing, encoding="unicode")


def test_fit_shows_its_predictions_beside_the_labels(page: Page, client: httpx.Client, fit_id: str) -> None:
    page.goto(f"/jobs/{fit_id}")
    figure = page.locator("figure", has=page.get_by_role("heading", name="Residuals"))
    with page.expect_download() as download:
        figure.get_by_role("button", name="Download CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    held_out = client.get(f"/v1/jobs/{fit_id}/result").json()["held_out"]
    residuals = np.array(held_out["predictions"])[:, 0] - np.array(held_out["labels"])[:, 0]
    assert [float(row["residual"]) for row in rows] == pytest.approx(residuals.tolist())
    expect(figure.locator("g[data-mark='dot'] circle")).to_have_count(len(rows))
    expect(page.get_by_role("heading", name="Predicted against true")).to_be_visible()
    expect(page.get_by_role("heading", name="Learning curve")).to_be_visible()


def test_rates_stand_beside_what_theory_promises_of_this_target(page: Page, client: httpx.Client, grid_id: str) -> None:
    (said,) = client.get(f"/v1/jobs/{grid_id}/result").json()["readings"]
    assert said["theory"]["approximation"] is None
    page.goto(f"/jobs/{grid_id}")
    estimation = page.locator("figure", has=page.get_by_role("heading", name="Rate in n"))
    expect(estimation.locator("figcaption")).to_contain_text(said["theory"]["estimation"]["because"])
    estimation.get_by_label("at", exact=True).select_option("8")
    expect(estimation.locator(".legend")).to_contain_text("theory: n^−1")
    approximation = page.locator("figure", has=page.get_by_role("heading", name="Rate in m"))
    expect(approximation.locator("figcaption")).to_contain_text("No theorem here tells the rate of approximation.")
    expect(approximation.locator(".legend")).not_to_contain_text("theory")


def test_fitted_slope_is_that_of_weighted_least_squares(page: Page) -> None:
    page.goto("/catalogue")
    module = page.evaluate("document.querySelector('script[type=module]').src.replace(/pages\\/.*/, 'core/slopes.js')")
    random = np.random.default_rng(1)
    x = np.array([8.0, 16, 32, 64, 128])
    y = 3 * x**-0.8 * np.exp(random.normal(size=5) * 0.1)
    errors = y * random.uniform(0.02, 0.2, 5)
    for error in (errors, None):
        columns = {"x": x, "y": y} | ({} if error is None else {"error": error})
        points = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
        found = page.evaluate(
            "async ([module, points]) => { const fit = (await import(module)).powerLaw(points);"
            " return [fit.slope, fit.standardError, fit.at(10)]; }",
            [module, points],
        )
        weights = None if error is None else y / errors
        coefficients, covariance = np.polyfit(np.log(x), np.log(y), 1, w=weights, cov="unscaled")
        residuals = (np.log(y) - np.polyval(coefficients, np.log(x))) * (1 if weights is None else weights)
        scatter = np.sum(residuals**2) / 3
        factor = scatter if weights is None else max(1.0, scatter)
        wanted = [coefficients[0], np.sqrt(covariance[0, 0] * factor), np.exp(np.polyval(coefficients, np.log(10)))]
        assert found == pytest.approx(wanted, rel=1e-9)


def test_running_job_is_cancelled_and_run_again(page: Page, client: httpx.Client) -> None:
    job_id = submit(client, ENDLESS)
    page.goto(f"/jobs/{job_id}")
    expect(page.locator(".job-head .badge")).to_contain_text("running", timeout=60_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".job-head .badge")).to_contain_text("cancelled", timeout=60_000)
    expect(page.locator("#job .notice")).to_contain_text("The computation has stopped")
    assert client.get(f"/v1/jobs/{job_id}").json()["status"] == "cancelled"
    page.get_by_role("button", name="Run again").click()
    expect(page.locator(".job-head")).to_contain_text("attempt 2", timeout=60_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".job-head .badge")).to_contain_text("cancelled", timeout=60_000)


def test_learning_curve_grows_while_a_model_trains(page: Page, client: httpx.Client) -> None:
    job_id = submit(client, ENDLESS)
    page.goto(f"/jobs/{job_id}")
    figure = page.locator(".live figure", has=page.get_by_role("heading", name="Learning curve"))
    expect(figure).to_be_visible(timeout=90_000)
    figure.get_by_text("Data as a table").click()
    rows = figure.locator("tbody tr")
    expect(rows.nth(1)).to_be_visible()
    before = rows.count()
    expect(rows).not_to_have_count(before, timeout=60_000)
    # What the reader opened stays open, and the points are those of the events.
    events = client.get(f"/v1/jobs/{job_id}/events").json()["data"]
    risks = {e["data"]["step"]: e["data"]["empirical_risk"] for e in events if e["type"] == "progress"}
    shown = [row.split("\t") for row in rows.all_inner_texts()]
    assert len(shown) > before >= 2
    for step, risk in shown:
        assert float(risk) == pytest.approx(risks[int(float(step.replace(",", "")))], rel=1e-3)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".job-head .badge")).to_contain_text("cancelled", timeout=60_000)


def test_refused_field_is_marked_where_it_stands(page: Page) -> None:
    page.goto("/new")
    page.get_by_label("Fit", exact=True).check()
    width = page.locator("input[data-pointer='/hypothesis_space/width']")
    width.fill("0")
    expect(width).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Submit the job")).to_be_disabled()
    width.fill("5")
    expect(page.locator("[aria-invalid]")).to_have_count(0)
    expect(page.get_by_role("button", name="Submit the job")).to_be_enabled()


def test_new_kind_appears_by_itself(page: Page, client: httpx.Client) -> None:
    catalogue = client.get("/v1/catalogue/experiments").json()
    schema = {
        "type": "object",
        "properties": {
            "kind": {"const": "divine", "type": "string"},
            "rods": {"type": "array", "items": {"type": "integer"}},
            "depth": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None, "description": "In metres."},
        },
    }
    novelty = {"kind": "divine", "parameters": schema, "examples": [{"kind": "divine", "rods": [1, 2]}]}
    catalogue["data"].append(catalogue["data"][0] | novelty)

    def answer(route: Route) -> None:
        route.fulfill(json=catalogue)

    page.route("**/v1/catalogue/experiments", answer)
    page.goto("/new")
    page.get_by_label("Divine").check()
    expect(page.get_by_label("Rods")).to_have_value("1, 2")
    page.get_by_label("Depth").fill("3.5")
    page.get_by_text("As curl").click()
    expect(page.get_by_label("As curl")).to_contain_text('"depth": 3.5')


def test_comparison_is_its_address(page: Page, client: httpx.Client, grid_id: str) -> None:
    page.goto("/compare")
    page.locator("label.option").last.get_by_role("checkbox").check()
    expect(page.locator("#comparison figure").first).to_be_visible()
    assert "job=job_" in page.url
    page.goto(f"/compare?job={grid_id}")
    expect(page.locator("#comparison").get_by_role("link", name="random features")).to_have_attribute(
        "href", f"/jobs/{grid_id}"
    )


def test_report_opens_from_a_file(browser: Browser, client: httpx.Client, grid_id: str, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_bytes(client.get(f"/v1/jobs/{grid_id}/report").content)
    with careful_page(browser, report.as_uri(), offline=True) as page:
        page.goto(report.as_uri())
        expect(page.locator("figure svg.plot")).to_have_count(5)
        expect(page.locator("#advice")).to_be_visible()


def test_key_is_asked_for_and_kept_in_the_tab(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKSCOPE_ADMIN_KEY", "a-long-enough-secret")
    with embedded_service(tmp_path / "data") as address, careful_page(browser, address) as page:
        page.goto("/")
        page.get_by_label("API key", exact=True).fill("a-long-enough-secret")
        page.get_by_role("button", name="Use this key").click()
        expect(page.locator("#jobs")).to_contain_text("No job has been submitted yet")
        headers = {"Authorization": "Bearer a-long-enough-secret"}
        with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
            job_id = submit(client, LONG_GRID)
        # The stream of events needs the key as well.
        page.goto(f"/jobs/{job_id}")
        expect(page.locator(".job-head .badge")).to_contain_text("succeeded", timeout=120_000)
        with page.expect_download() as download:
            page.get_by_role("button", name="Report as one file").click()
        assert "<!doctype html>" in Path(download.value.path()).read_text()[:20]
