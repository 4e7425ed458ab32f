"""Statements of the catalogue, written as text, set as mathematics: signs, subscripts, superscripts."""

import re

from markupsafe import Markup, escape

_GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "theta": "θ",
    "xi": "ξ",
}
_SIGNS = {"<=": "≤", ">=": "≥", "!=": "≠", "->": "→", "||": "‖", "f^": "f̂", "f~": "f̃", "x~": "x̃"}
_WORDS = {"sqrt": "√", "sum": "Σ", "infinity": "∞"} | _GREEK

_TOKEN = re.compile(
    r"(?P<hat>\b[fx][~^](?![\w{(*]))"
    r"|(?P<sign><=|>=|!=|->|\|\|)"
    r"|(?P<minus>(?<=[\s(])-(?=\s|\d))"
    r"|(?P<script>[_^](?:\{[^{}]*\}|\([^()]*\)|-?\d+(?:\.\d+)?|\*|[^\W_]+))"
    r"|(?P<word>(?<![A-Za-z])(?:" + "|".join(sorted(_WORDS, key=len, reverse=True)) + r")(?![a-z]))"
)


def typeset(statement: str) -> Markup:
    """HTML of a statement: `gamma_{i<=t}` becomes γ with a subscript, `<=` becomes ≤; everything else is kept.

    The statements are Unicode text with prose inside, which no converter to MathML reads; only what is unmistakable is
    replaced. The result is escaped.
    """
    parts, end = [], 0
    for match in _TOKEN.finditer(statement):
        parts.append(escape(statement[end : match.start()]))
        parts.append(_replacement(match))
        end = match.end()
    parts.append(escape(statement[end:]))
    return Markup("").join(parts)


def _replacement(match: re.Match[str]) -> Markup:
    text = match.group()
    if match.lastgroup == "minus":
        return Markup("−")
    if match.lastgroup == "word":
        return escape(_WORDS[text])
    if match.lastgroup != "script":
        return escape(_SIGNS[text])
    inner = text[1:]
    if inner[0] == "{" and inner[-1] == "}":
        inner = inner[1:-1]
    frame = Markup("<sub>{}</sub>") if text[0] == "_" else Markup("<sup>{}</sup>")
    return frame.format(typeset(inner.replace("-", "−")))
