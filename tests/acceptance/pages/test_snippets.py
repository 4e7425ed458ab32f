"""What the page of a new job offers for copying does what the page would do."""

import ast
import subprocess
import sys

import httpx
import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def described(page: Page) -> str:
    """The program of a small fit on a known target."""
    page.goto("/new")
    page.get_by_label("Fit", exact=True).check()
    page.locator("select[data-pointer='/hypothesis_space/kind']").select_option("random_features")
    page.locator("input[data-pointer='/hypothesis_space/width']").fill("16")
    page.locator("select[data-pointer='/learner/kind']").select_option("ridge")
    page.locator("input[data-pointer='/sample_size']").fill("64")
    page.locator("input[data-pointer='/model_name']").fill("copied")
    expect(page.locator("#plan")).to_contain_text("Memory")
    page.get_by_text("As Python").click()
    expect(page.get_by_label("As Python")).to_contain_text('"model_name": "copied"')
    return page.get_by_label("As Python").inner_text()


def test_python_program_runs_the_job(page: Page, client: httpx.Client) -> None:
    program = described(page)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (model,) = ast.literal_eval(done.stdout.strip())["models"]
    assert model["name"] == "copied"
    assert client.get("/v1/models/copied").json()["id"] == model["id"]


def test_key_of_the_page_is_not_in_what_is_copied(page: Page) -> None:
    described(page)
    page.evaluate("sessionStorage.setItem('riskscope-key', 'rsk_secret')")
    page.locator("input[data-pointer='/model_name']").fill("other")
    expect(page.get_by_label("As Python")).to_contain_text('os.environ["RISKSCOPE_API_KEY"]')
    program = page.get_by_label("As Python").inner_text()
    assert "rsk_secret" not in program
    ast.parse(program)
