"""Charts, drawn once for the page (SVG) and the PDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from reportlab.graphics.shapes import Drawing, Line, PolyLine, Rect, String
from reportlab.lib.colors import Color, HexColor

from metrics.report.document import Chart, Series

WIDTH, HEIGHT = 480.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 24.0, 22.0
INK: Final = HexColor(0x444444)
PAPER: Final = HexColor(0xFFFFFF)
COLORS: Final = tuple(HexColor(one) for one in (0x0B5CAD, 0xB3500B, 0x1F7A3D, 0x7A3DB8, 0xA8123E, 0x4D6B73))
"""Dark enough on white for small lines, and told apart by who sees no red or green."""
FONT, FONT_SIZE = "Helvetica", 7.5
GRID_LINES: Final = 4
MAX_LABELS: Final = 12


def drawing(chart: Chart, font: str = FONT) -> Drawing:
    """The drawing of a chart, `WIDTH` x `HEIGHT` points."""
    drawn = Drawing(WIDTH, HEIGHT)
    if chart.kind == "heat":
        _heat(drawn, chart)
    else:
        most = max((value for one in chart.series for value in one.values if value is not None), default=0.0) or 1.0
        _grid(drawn, most)
        for at, one in enumerate(chart.series):
            (_line if chart.kind == "lines" else _bars)(drawn, one, at, len(chart.series), most)
        _legend(drawn, chart.series, font)
    _labels(drawn, chart.labels)
    return drawn


def _inner() -> tuple[float, float]:
    return WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


def _place(at: int, count: int) -> float:
    return LEFT + _inner()[0] * (at + 0.5) / max(count, 1)


def _grid(drawn: Drawing, most: float) -> None:
    width, height = _inner()
    for line in range(GRID_LINES + 1):
        y = BOTTOM + height * line / GRID_LINES
        drawn.add(Line(LEFT, y, LEFT + width, y, strokeColor=HexColor(0xDDDDDD), strokeWidth=0.5))
        drawn.add(_text(LEFT - 4, y - 2.5, f"{most * line / GRID_LINES:,.4g}", "end"))


def _line(drawn: Drawing, one: Series, at: int, _: int, most: float) -> None:
    points: list[float] = []
    for place, value in enumerate(one.values):
        if value is None:
            _polyline(drawn, points, COLORS[at % len(COLORS)])
            points = []
        else:
            points += [_place(place, len(one.values)), BOTTOM + _inner()[1] * value / most]
    _polyline(drawn, points, COLORS[at % len(COLORS)])


def _polyline(drawn: Drawing, points: Sequence[float], color: Color) -> None:
    if len(points) > 2:
        drawn.add(PolyLine([*points], strokeColor=color, strokeWidth=1.4))


def _bars(drawn: Drawing, one: Series, at: int, count: int, most: float) -> None:
    room = _inner()[0] / max(len(one.values), 1) * 0.8
    for place, value in enumerate(one.values):
        x = _place(place, len(one.values)) - room / 2 + room * at / count
        height = _inner()[1] * (value or 0.0) / most
        drawn.add(_box((x, BOTTOM, room / count, height), COLORS[at % len(COLORS)]))


def _heat(drawn: Drawing, chart: Chart) -> None:
    """Each series is a row; values are shares."""
    width, height = _inner()
    column, row = width / max(len(chart.labels), 1), height / max(len(chart.series), 1)
    for down, one in enumerate(chart.series):
        y = BOTTOM + height - row * (down + 1)
        drawn.add(_text(LEFT - 4, y + row / 2 - 2.5, one.name, "end"))
        for across, value in enumerate(one.values):
            if value is not None:
                _cell(drawn, (LEFT + column * across, y, column, row), value)


def _cell(drawn: Drawing, box: tuple[float, float, float, float], value: float) -> None:
    x, y, width, height = box
    fade = min(max(value, 0.0), 1.0)
    shade = Color(1 - 0.95 * fade, 1 - 0.64 * fade, 1 - 0.32 * fade)
    drawn.add(_box((x, y, width - 1, height - 1), shade))
    label = _text(x + width / 2, y + height / 2 - 2.5, f"{value:.0%}", "middle")
    label.fillColor = PAPER if fade > 0.6 else INK
    drawn.add(label)


def _labels(drawn: Drawing, labels: Sequence[str]) -> None:
    step = -(-len(labels) // MAX_LABELS) if labels else 1
    for at in range(0, len(labels), step):
        drawn.add(_text(_place(at, len(labels)), BOTTOM - 11, labels[at], "middle"))


def _legend(drawn: Drawing, series: Sequence[Series], font: str) -> None:
    x = LEFT
    for at, one in enumerate(series):
        drawn.add(_box((x, HEIGHT - 12, 8, 8), COLORS[at % len(COLORS)]))
        label = _text(x + 11, HEIGHT - 11, one.name, "start")
        label.fontName = font
        drawn.add(label)
        x += 24 + 7.5 * len(one.name)


def _box(box: tuple[float, float, float, float], color: Color) -> Rect:
    drawn = Rect(*box)
    drawn.fillColor, drawn.strokeColor = color, None
    return drawn


def _text(x: float, y: float, words: str, anchor: Literal["start", "middle", "end"]) -> String:
    return String(x, y, words, fontName=FONT, fontSize=FONT_SIZE, fillColor=INK, textAnchor=anchor)
