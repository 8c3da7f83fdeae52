"""Line charts as SVG text: panels side by side over one x axis, for light and dark pages."""

from __future__ import annotations

import math
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 900, 420
_TOP, _BOTTOM, _LEFT, _RIGHT, _GAP = 116, 56, 64, 28, 76
_STYLE = """
  svg { font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
  .page { fill: #ffffff; }
  .title { fill: #111827; font-size: 19px; font-weight: 600; }
  .note { fill: #6b7280; font-size: 13px; }
  .head { fill: #374151; font-size: 14px; font-weight: 600; }
  .tick { fill: #6b7280; font-size: 12px; }
  .grid { stroke: #e5e7eb; stroke-width: 1; }
  .axis { stroke: #9ca3af; stroke-width: 1; }
  .line { fill: none; stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round; }
  .c0 { stroke: #2563eb; } .c1 { stroke: #d97706; } .c2 { stroke: #059669; }
  .f0 { fill: #2563eb; } .f1 { fill: #d97706; } .f2 { fill: #059669; }
  .label { font-size: 13px; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #111827; } .title { fill: #f9fafb; } .note, .tick { fill: #9ca3af; }
    .head { fill: #e5e7eb; } .grid { stroke: #263041; } .axis { stroke: #4b5563; }
    .c0 { stroke: #60a5fa; } .c1 { stroke: #fbbf24; } .c2 { stroke: #34d399; }
    .f0 { fill: #60a5fa; } .f1 { fill: #fbbf24; } .f2 { fill: #34d399; }
  }
"""


class Series(NamedTuple):
    """One line: y at x = 1, 2, ...; color is one of 0 (blue), 1 (amber), 2 (green)."""

    label: str
    values: list[float]
    color: int


class Panel(NamedTuple):
    """One pair of axes. percent: y is a share, 0 to 1. log: y on a log scale (y > 0)."""

    title: str
    series: list[Series]
    percent: bool = False
    log: bool = False


def line_chart(title: str, note: str, panels: list[Panel], x_label: str) -> str:
    """The chart as the text of an .svg file."""
    width = (_WIDTH - _LEFT - _RIGHT - _GAP * (len(panels) - 1)) / len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{_HEIGHT}" rx="10"/>',
        _text(24, 36, "title", title),
        _text(24, 58, "note", note),
    ]
    for index, panel in enumerate(panels):
        parts += _panel(panel, _LEFT + index * (width + _GAP), width, x_label)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, left: float, width: float, x_label: str) -> list[str]:
    top, bottom, right = _TOP, _HEIGHT - _BOTTOM, left + width
    count = max(len(series.values) for series in panel.series)
    ticks = _y_ticks(panel)
    low, high = _scale(panel, ticks[0]), _scale(panel, ticks[-1])

    def x_of(position: float) -> float:
        return left + width * ((position - 1) / (count - 1) if count > 1 else 0.5)

    def y_of(value: float) -> float:
        return bottom - (bottom - top) * (_scale(panel, value) - low) / (high - low)

    parts = [_text(left, top - 14, "head", panel.title)]
    for tick in ticks:
        y = y_of(tick)
        parts.append(_rule("grid", left, y, right, y))
        parts.append(_text(left - 8, y + 4, "tick", _number(tick, panel.percent), "end"))
    for tick in _x_ticks(count):
        x = x_of(tick)
        parts.append(_rule("axis", x, bottom, x, bottom + 5))
        parts.append(_text(x, bottom + 19, "tick", str(tick), "middle"))
    parts.append(_rule("axis", left, bottom, right, bottom))
    parts.append(_text((left + right) / 2, bottom + 40, "note", x_label, "middle"))
    for series in panel.series:
        points = " ".join(
            f"{x_of(i):.1f},{y_of(min(max(v, ticks[0]), ticks[-1])):.1f}"
            for i, v in enumerate(series.values, 1)
            if math.isfinite(v)
        )
        parts.append(f'<polyline class="line c{series.color}" points="{points}"/>')
        x, y = points.split()[-1].split(",") if points else (left, bottom)
        parts.append(f'<circle class="f{series.color}" cx="{x}" cy="{y}" r="3.5"/>')
    return parts + _legend(panel, right, top - 14)


def _legend(panel: Panel, right: float, y: float) -> list[str]:
    """Labels with the last values, right-aligned on the panel's head line."""
    parts = []
    for series in reversed(panel.series):
        label = f"{series.label} {_last(series.values[-1], panel.percent)}"
        parts.append(_text(right, y, f"label f{series.color}", label, "end"))
        right -= 6.7 * len(label) + 14
    return parts


def _scale(panel: Panel, value: float) -> float:
    return math.log10(value) if panel.log else value


def _y_ticks(panel: Panel) -> list[float]:
    """Round numbers that enclose the values, in order."""
    values = [v for s in panel.series for v in s.values if math.isfinite(v)] or [1.0]
    if not panel.log:
        low = min(values) if panel.percent else 0.0
        return _linear_ticks(low, 1.0 if panel.percent else max(values))
    values = [v for v in values if v > 0] or [1.0]
    steps = [m * 10.0**e for e in range(-12, 12) for m in (1, 2, 5)]
    first = max(i for i, s in enumerate(steps) if s <= min(values))
    last = min(i for i, s in enumerate(steps) if s >= max(values))
    chosen = steps[first : max(last, first + 1) + 1]
    decades = [s for s in chosen if math.log10(s) == round(math.log10(s))]
    return chosen if len(chosen) <= 12 else sorted({chosen[0], *decades, chosen[-1]})


def _linear_ticks(low: float, high: float) -> list[float]:
    span = (high - low) or abs(high) or 1.0
    step = 10.0 ** math.floor(math.log10(span / 4))
    step *= next((m for m in (1, 2, 5) if span / (step * m) <= 6), 10)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _x_ticks(count: int) -> list[int]:
    if count <= 8:
        return list(range(1, count + 1))
    step = int(_linear_ticks(0, count)[1])
    return [1, *range(step, count + 1, step)]


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:.4g} %" if percent else f"{value:.4g}"


def _last(value: float, percent: bool) -> str:
    return f"{100 * value:.1f} %" if percent else f"{value:.3g}"


def _text(x: float, y: float, cls: str, text: str, anchor: str = "start") -> str:
    return (
        f'<text class="{cls}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _rule(cls: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{cls}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
