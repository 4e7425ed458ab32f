"""What the documents name is there: files that they link to, fields of the API."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (document.parent / target).exists()] == []


def test_notation_names_fields_of_the_api() -> None:
    names = re.findall(r"`(\w+)`", (ROOT / "docs" / "notation.md").read_text(encoding="utf-8"))
    known = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert len(names) > 30
    assert [name for name in names if f'"{name}"' not in known] == []
