"""A CSV file whose form must be told, uploaded in the browser."""

import re
from pathlib import Path
from typing import get_args

import pytest
from playwright.sync_api import Page, expect

from api.dataset_files.options import Decimal, Delimiter, Encoding

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_refused_file_is_read_again_once_its_form_is_told(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("größe;preis\n1,5;2,25\n2,5;4,75\n", encoding="windows-1252")
    page.goto("/new")
    page.get_by_label("Fit", exact=True).check()
    page.get_by_label("Kind").first.select_option("dataset")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.locator(".dataset .problem")).to_contain_text("encoding")
    page.get_by_text("How a CSV file is read").click()
    page.get_by_label("Encoding").select_option("windows-1252")
    expect(page.locator(".dataset .problem")).to_contain_text("decimal")
    page.get_by_label("Before decimals").select_option("comma")
    expect(page.get_by_label("Role of größe")).to_have_value("feature")
    expect(page.get_by_label("Role of preis")).to_have_value("target")
    expect(page.locator(".preview td").nth(1)).to_have_text("2.25")


def test_choices_are_those_of_the_service(page: Page) -> None:
    page.goto("/new")
    page.get_by_label("Fit", exact=True).check()
    page.get_by_label("Kind").first.select_option("dataset")
    for name, literal in (("delimiter", Delimiter), ("decimal", Decimal), ("encoding", Encoding)):
        offered = page.locator(f"select[name={name}] option").evaluate_all("options => options.map(o => o.value)")
        assert tuple(offered[1:]) == get_args(literal), name
    accepted = page.locator("input[type=file]").get_attribute("accept") or ""
    assert re.search(r"(^|,)\.tsv(,|$)", accepted)
