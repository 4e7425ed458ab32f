"""Statements set as mathematics: only what is unmistakable changes."""

import pytest

from api.pages.catalogue import type_in_words
from api.pages.notation import typeset


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("R(f) <= M", "R(f) ≤ M"),
        ("sum_{i<=t} l_i", "Σ<sub>i≤t</sub> l<sub>i</sub>"),
        ("probability at least 1 - delta", "probability at least 1 − δ"),
        ("||f||_B", "‖f‖<sub>B</sub>"),
        ("R(f^) - R(f~)", "R(f̂) − R(f̃)"),
        ("f^2 and f^* stay powers", "f<sup>2</sup> and f<sup>*</sup> stay powers"),
        ("2^{L-1}", "2<sup>L−1</sup>"),
        ("n^(1/2)", "n<sup>(1/2)</sup>"),
        ("held-out rows, one-hot", "held-out rows, one-hot"),
        ("sqrt(2 ln(1/delta))", "√(2 ln(1/δ))"),
        ("summary of deltas", "summary of deltas"),
        ("R(f_m) − R(f*)", "R(f<sub>m</sub>) − R(f*)"),
        ("<b>&", "&lt;b&gt;&amp;"),
    ],
)
def test_statement_is_typeset(text: str, shown: str) -> None:
    assert str(typeset(text)) == shown


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 64}, "integer, 1 to 64"),
        ({"type": "number", "exclusiveMinimum": 0}, "number, above 0"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "number, above 0 to below 1"),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "boolean or none"),
        ({"enum": ["relu", "tanh"]}, "one of relu, tanh"),
        ({"type": "array", "items": {"type": "number"}}, "list of number"),
    ],
)
def test_type_is_in_words(schema: dict[str, object], words: str) -> None:
    assert type_in_words(schema) == words
