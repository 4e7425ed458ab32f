"""Pages as a browser gets them: nothing from elsewhere, nothing inline, every file there."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from api.pages.assets import assets

PAGES = ("/", "/new", "/jobs/job_unknown", "/models", "/models/unknown", "/catalogue", "/compare", "/docs")


class Reading(HTMLParser):
    """What a page refers to and what it holds inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.inside = tag
        self.inline += [f"{tag}[{name}]" for name in values if name == "style" or name.startswith("on")]
        if tag in ("script", "link", "img"):
            self.links.append(values.get("src") or values.get("href") or "")
        if "id" in values:
            self.ids.append(str(values["id"]))

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style") and data.strip():
            self.inline.append(self.inside)


@pytest.mark.parametrize("address", PAGES)
def test_page_holds_nothing_inline_and_refers_only_to_files_that_are_here(client: Any, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    reading = Reading(answer.text)
    assert reading.inline == []
    assert len(reading.ids) == len(set(reading.ids))
    assert reading.links
    for link in reading.links:
        assert link.startswith("/assets/"), link
        assert client.get(link).status_code == 200, link


@pytest.mark.parametrize("address", PAGES)
def test_policy_allows_no_inline_script_and_no_other_host(client: Any, address: str) -> None:
    policy = dict(
        part.strip().split(" ", 1) for part in client.get(address).headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    # Swagger UI alone writes styles of its own.
    assert policy["style-src"] == ("'self' 'unsafe-inline'" if address == "/docs" else "'self'")
    assert "http" not in " ".join(policy.values())


def test_own_scripts_and_styles_name_no_other_host() -> None:
    for name, path in assets().paths.items():
        if name.startswith(("js/", "css/")):
            found = re.findall(r"https?://[^\s\"'`)]+", path.read_text(encoding="utf-8"))
            assert [url for url in found if url != "http://www.w3.org/2000/svg"] == [], name


def test_modules_import_only_files_that_are_here() -> None:
    known = assets().paths
    imported = 0
    for name, path in known.items():
        if not name.startswith("js/"):
            continue
        for target in re.findall(r"^import [^;]*?from \"([^\"]+)\";", path.read_text(encoding="utf-8"), re.MULTILINE):
            resolved = (path.parent / target).resolve()
            assert resolved in [other.resolve() for other in known.values()], (name, target)
            imported += 1
    assert imported > 50


def test_asset_is_kept_for_ever_and_another_digest_is_not_here(client: Any) -> None:
    url = assets().url("css/site.css")
    answer = client.get(url)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert client.get(url.replace(assets().digest, "0" * 16)).status_code == 404
    assert client.get(url.replace("site.css", "../../rendering.py")).status_code == 404


def test_licence_stands_beside_every_vendored_library() -> None:
    vendored = {name: path for name, path in assets().paths.items() if name.startswith("vendor/")}
    font = vendored.pop("vendor/noto-sans-math.woff2")
    assert "SIL OPEN FONT LICENSE Version 1.1" in font.with_suffix(".LICENSE").read_text(encoding="utf-8")
    assert len(vendored) == 2
    for path in vendored.values():
        licence = path.with_name(path.name.split(".")[0] + ".LICENSE")
        assert "Permission to use, copy, modify" in licence.read_text(encoding="utf-8")
        version = re.search(r"v(\d+\.\d+\.\d+)", path.read_text(encoding="utf-8")[:200])
        assert version is not None


def test_font_of_formulas_is_served_to_the_catalogue_alone(client: Any) -> None:
    style = assets().url("css/formulas.css")
    assert [address for address in PAGES if style in client.get(address).text] == ["/catalogue"]
    (name,) = re.findall(r'url\("\.\./([^"]+)"\)', client.get(style).text)
    answer = client.get(assets().url(name))
    assert answer.headers["content-type"] == "font/woff2"
    assert answer.content[:4] == b"wOF2"


def test_first_page_is_under_300_kilobytes(client: Any) -> None:
    page = client.get("/")
    modules = {name: path for name, path in assets().paths.items() if name.startswith(("js/core/", "js/theme", "css/"))}
    size = len(page.content) + sum(path.stat().st_size for path in modules.values())
    assert size < 300_000
    assert "vendor/" not in page.text


def test_pages_are_no_part_of_the_contract(client: Any) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if not path.startswith(("/v1", "/v2")) and path in PAGES]


def test_a_name_in_an_address_is_escaped(client: Any) -> None:
    answer = client.get("/models/%22%3E%3Cscript%3Ealert(1)")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


def test_catalogue_shows_every_kind_with_statement_and_source(client: Any) -> None:
    text = client.get("/catalogue").text
    families = client.get("/v1/catalogue").json()["data"]
    kinds = [(family["family"], kind) for family in families for kind in family["kinds"]]
    assert len(kinds) > 50
    for family, kind in kinds:
        assert f'id="{family}-{kind}"' in text
    assert text.count('class="statement"') == len(kinds)
    assert text.count('display="block"') == text.count("<math ") == len(kinds)
    assert text.count('class="source"') == len(kinds)
