"""The report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from reportlab.graphics import renderSVG

from metrics.report.document import Chart, Report, Section, Table
from metrics.report.drawing import drawing
from metrics.report.texts import Language, text

STYLE = """:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;max-width:60rem;
margin:0 auto;padding:1rem}
figure{margin:1rem 0;background:#fff;color:#222;padding:.5rem;overflow-x:auto}figure svg{max-width:100%;height:auto}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
caption{text-align:start;font-weight:600}
th,td{padding:.2rem .6rem;border-bottom:1px solid #8886;text-align:end}
th:first-child,td:first-child{text-align:start}dl{display:grid;grid-template-columns:auto 1fr;gap:.2rem 1rem}
dd{margin:0;font-weight:600}
@media print{section{break-inside:avoid}}"""


def html(report: Report) -> str:
    """The page."""
    return "".join(_page(report))


def _page(report: Report) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="{"zh-CN" if report.language == "zh" else "en"}">\n<head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(report.title)}</title><style>{STYLE}</style></head>\n<body><main>"
    yield f"<h1>{escape(report.title)}</h1>\n"
    for line in report.about:
        yield f"<p>{escape(line)}</p>\n"
    for section in report.sections:
        yield from _section(section, "zh" if report.language == "zh" else "en")
    yield "</main></body></html>\n"


def _section(section: Section, language: Language) -> Iterator[str]:
    yield f"<section><h2>{escape(section.title)}</h2>\n"
    if section.facts:
        facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in section.facts)
        yield f"<dl>{facts}</dl>\n"
    if section.chart:
        yield f"<figure>{_svg(section.chart)}</figure>\n"
    if section.table:
        yield from _table(section.table)
    summary = escape(text("definition", language))
    yield f"<details><summary>{summary}</summary><p>{escape(section.definition)}</p></details></section>\n"


def _svg(chart: Chart) -> str:
    """Without the prologue of a document; with its words for who does not see it."""
    drawn: str = renderSVG.drawToString(drawing(chart, font="sans-serif"))
    shapes = drawn[drawn.index("<svg") :]
    return shapes.replace("<svg", f'<svg role="img" aria-label="{escape(chart.alternative, quote=True)}"', 1)


def _table(table: Table) -> Iterator[str]:
    yield f'<div class="wide"><table><caption>{escape(table.caption)}</caption><thead><tr>'
    yield "".join(f'<th scope="col">{escape(one)}</th>' for one in table.head)
    yield "</tr></thead><tbody>\n"
    for first, *others in table.rows:
        yield f'<tr><th scope="row">{escape(first)}</th>'
        yield "".join(f"<td>{escape(one)}</td>" for one in others)
        yield "</tr>\n"
    yield "</tbody></table></div>\n"
