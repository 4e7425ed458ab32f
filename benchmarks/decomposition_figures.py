"""Error budgets as SVG, written by hand: stacked bars over sample sizes, and terms over widths on log axes."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from models.decomposition.terms import DecompositionCell

PARTS = {
    "noise": ("noise", "#9aa0a6"),
    "approximation_and_noise": ("approximation and noise", "#7b8fb8"),
    "approximation": ("approximation", "#3b6fb6"),
    "estimation": ("estimation", "#e08a1e"),
    "optimization": ("optimization", "#3a9a5b"),
}
STYLE = "font-family:system-ui,sans-serif;font-size:11px;fill:#333"
PANEL, GAP, LEFT, TOP, HEIGHT, BAR = 150, 18, 52, 58, 190, 26


def bars_figure(path: Path, title: str, cells: Sequence[DecompositionCell]) -> None:
    """A panel for each space and width, a bar for each n; parts stacked, a negative one below zero.

    The whisker is one standard error of the risk. The frame ends at 2.5 times the median risk: a bar that leaves it has
    its height written above.
    """
    panels: dict[tuple[str, int], list[DecompositionCell]] = {}
    for cell in cells:
        panels.setdefault((cell.hypothesis_space["kind"], cell.width), []).append(cell)
    # Where the smallest samples err by orders of magnitude, the rest would vanish beside them.
    middle = sorted(cell.risks["trained"].value for cell in cells)[len(cells) // 2]
    top = min(2.5 * middle, max(_above(cell) for cell in cells))
    bottom = min(0.0, max(-0.25 * top, min(_below(cell) for cell in cells)))
    scale = HEIGHT / (top - bottom)

    def place(value: float) -> float:
        return TOP + HEIGHT - (min(max(value, bottom), top) - bottom) * scale

    width = LEFT + len(panels) * (PANEL + GAP)
    body = [_text(12, 20, title, weight="600"), *_legend(cells)]
    for tick in _ticks(bottom, top):
        body.append(
            f'<line x1="{LEFT}" x2="{width - GAP}" y1="{place(tick):.1f}" y2="{place(tick):.1f}" stroke="#ddd"/>'
        )
        body.append(_text(LEFT - 6, place(tick) + 4, f"{tick:g}", anchor="end"))
    for index, ((kind, m), members) in enumerate(panels.items()):
        x = LEFT + index * (PANEL + GAP)
        body.append(_text(x + PANEL / 2, TOP + HEIGHT + 34, f"{kind.replace('_', ' ')}, m = {m}", anchor="middle"))
        step = PANEL / len(members)
        for number, cell in enumerate(sorted(members, key=lambda cell: cell.sample_size)):
            center = x + (number + 0.5) * step
            body += _bar(cell, center, min(BAR, 0.7 * step), place, top)
            body.append(_text(center, TOP + HEIGHT + 16, f"{cell.sample_size}", anchor="middle"))
    body.append(f'<line x1="{LEFT}" x2="{width - GAP}" y1="{place(0):.1f}" y2="{place(0):.1f}" stroke="#333"/>')
    _write(path, width, TOP + HEIGHT + 46, body)


def lines_figure(path: Path, title: str, cells: Sequence[DecompositionCell]) -> None:
    """Approximation and estimation over m, both axes logarithmic, whiskers of one standard error."""
    widths = [cell.width for cell in cells]
    names = ("approximation", "estimation")
    values = [cell.risk_terms[name].value for cell in cells for name in names]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    span = 560

    def across(m: float) -> float:
        return LEFT + span * math.log(m / widths[0]) / math.log(widths[-1] / widths[0])

    def up(value: float) -> float:
        return TOP + HEIGHT * (high - math.log10(max(value, 10.0**low))) / (high - low)

    body = [_text(12, 20, title, weight="600"), *_legend(cells, names)]
    for decade in range(low, high + 1):
        y = up(10.0**decade)
        body.append(f'<line x1="{LEFT}" x2="{LEFT + span}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        body.append(_text(LEFT - 6, y + 4, f"{10.0**decade:g}", anchor="end"))
    body += [_text(across(m), TOP + HEIGHT + 16, str(m), anchor="middle") for m in (25, 50, 100, 200, 400)]
    body.append(_text(LEFT + span / 2, TOP + HEIGHT + 34, "width m", anchor="middle"))
    for name in names:
        color = PARTS[name][1]
        points = [(across(cell.width), cell.risk_terms[name]) for cell in cells]
        line = " ".join(f"{x:.1f},{up(term.value):.1f}" for x, term in points)
        body.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        for x, term in points:
            error = term.standard_error or 0.0
            y1, y2 = up(term.value - error), up(term.value + error)
            body.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" stroke="{color}"/>')
            body.append(f'<circle cx="{x:.1f}" cy="{up(term.value):.1f}" r="3" fill="{color}"/>')
    _write(path, LEFT + span + 20, TOP + HEIGHT + 46, body)


def _parts(cell: DecompositionCell) -> dict[str, float]:
    terms = dict(cell.risk_terms)
    if "noise" in cell.risks:
        terms["noise"] = cell.risks["noise"]
        terms.pop("approximation_and_noise", None)
    return {name: terms[name].value for name in PARTS if name in terms}


def _above(cell: DecompositionCell) -> float:
    return max(sum(value for value in _parts(cell).values() if value > 0), cell.risks["trained"].value)


def _below(cell: DecompositionCell) -> float:
    return sum(value for value in _parts(cell).values() if value < 0)


def _bar(
    cell: DecompositionCell, center: float, width: float, place: Callable[[float], float], top: float
) -> Iterator[str]:
    above = below = 0.0
    for name, value in _parts(cell).items():
        start = above if value > 0 else below
        first, second = sorted((place(start), place(start + value)))
        x = center - width / 2
        yield (
            f'<rect x="{x:.1f}" y="{first:.1f}" width="{width:.1f}" height="{second - first:.1f}" '
            f'fill="{PARTS[name][1]}"><title>{PARTS[name][0]}: {value:.3g}</title></rect>'
        )
        above, below = (above + value, below) if value > 0 else (above, below + value)
    risk = cell.risks["trained"]
    error = risk.standard_error or 0.0
    if above > top:
        yield _text(center, place(top) - 4, f"{above:.2g}", anchor="middle")
    if risk.value + error <= top:
        low, high = place(risk.value - error), place(risk.value + error)
        yield f'<line x1="{center:.1f}" x2="{center:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="#111"/>'
        yield f'<circle cx="{center:.1f}" cy="{place(risk.value):.1f}" r="2.5" fill="#111"/>'


def _legend(cells: Sequence[DecompositionCell], names: Sequence[str] | None = None) -> Iterator[str]:
    used = names or [name for name in PARTS if any(name in _parts(cell) for cell in cells)]
    x = 12
    for name in used:
        label, color = PARTS[name]
        yield f'<rect x="{x}" y="32" width="10" height="10" fill="{color}"/>'
        yield _text(x + 14, 41, label)
        x += 26 + 6.2 * len(label)
    if names is None:
        yield f'<circle cx="{x + 4:.1f}" cy="37" r="2.5" fill="#111"/>'
        yield _text(x + 12, 41, "risk of the learner ± standard error")


def _ticks(bottom: float, top: float) -> list[float]:
    raw = (top - bottom) / 5
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw)
    return [round(k * step, 12) for k in range(math.ceil(bottom / step), math.floor(top / step) + 1)]


def _text(x: float, y: float, content: str, anchor: str = "start", weight: str = "400") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{content}</text>'


def _write(path: Path, width: float, height: float, body: Sequence[str]) -> None:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    background = f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{STYLE}">', background, *body, "</svg>"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
