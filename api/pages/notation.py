"""The catalogue's mathematics: formulas from LaTeX to MathML, and signs and scripts in statements written as text."""

import re
from functools import cache

from latex2mathml.converter import convert
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

_UNREAD = re.compile(r"\\[A-Za-z]*|&(?!#x[0-9A-F]+;)|linebreak=\"newline\"")
"""What the converter leaves as it is: a command or an alignment that it does not know. No browser breaks lines."""

_OPERATOR = re.compile(
    r"(?P<operand></(?:mi|mn|msqrt|mfrac|msub|msup|msubsup|mrow)>|&#x00029;</mo>)?(?P<under><munder>)?"
    r"<(?P<tag>mi|mo)(?P<limits> movablelimits=\"true\")?>(?P<name>[A-Za-z]{2,})</(?P=tag)>"
    r"(?P<argument><mo stretchy=\"false\">&#x00028;)?"
)
_OTHERWISE = {
    "&#x0002A;": "&#x02217;",
    "<mo>&#x0005E;</mo>": '<mo stretchy="false">&#x002C6;</mo>',
    '<mo stretchy="false">&#x0007C;': '<mo stretchy="false" lspace="0" rspace="0">&#x0007C;',
}
"""What a browser would set otherwise than TeX does: the star of f^*, which fonts raise once more, hats, bars."""


def _spaced(operator: re.Match[str]) -> str:
    """The name of an operator with TeX's thin spaces: after an operand, and before anything but its parenthesis."""
    operand, under, limits, name, argument = operator.group("operand", "under", "limits", "name", "argument")
    before, after = "0.167em" if operand else "0", "0" if argument else "0.167em"
    spaced = f'<mo{limits or ""} lspace="{before}" rspace="{after}">{name}</mo>'
    return f"{operand or ''}{under or ''}{spaced}{argument or ''}"


@cache
def mathml(formula: str, alternative: str) -> Markup:
    """A `math` element in display style; `alternative` is the same as plain text, for who cannot read MathML.

    Raises:
        ValueError: the converter does not know a command of the formula.
    """
    converted = convert(formula, display="block")
    unread = _UNREAD.search(converted)
    if unread is not None:
        raise ValueError(f"{unread.group()!r} is not converted to MathML")
    for found, replacement in _OTHERWISE.items():
        converted = converted.replace(found, replacement)
    converted = _OPERATOR.sub(_spaced, converted)
    opening = Markup('<math alttext="{}" ').format(alternative)
    return Markup(converted.replace("<math ", opening, 1))  # noqa: S704  markup made from a formula of the source


def typeset(statement: str) -> Markup:
    """HTML of a statement: `gamma_{i<=t}` becomes γ with a subscript, `<=` becomes ≤; everything else is kept.

    Statements and assumptions are Unicode text with prose inside, which no converter to MathML reads; only what is
    unmistakable is replaced. The result is escaped.
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
