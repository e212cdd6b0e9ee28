"""The report as a PDF. Chinese is set in a font that PDF readers bring along, so that none is embedded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, TableStyle
from reportlab.platypus import Table as Grid

from metrics.report.document import Report, Section, Table
from metrics.report.drawing import drawing

FONT = "STSong-Light"
registerFont(UnicodeCIDFont(FONT))
BODY = ParagraphStyle("body", fontName=FONT, fontSize=9, leading=13)
SMALL = ParagraphStyle("small", parent=BODY, fontSize=7, leading=9.5, textColor=HexColor(0x555555))
TITLE = ParagraphStyle("title", parent=BODY, fontSize=18, leading=24, spaceAfter=4)
HEADING = ParagraphStyle("heading", parent=BODY, fontSize=13, leading=18, spaceBefore=10, spaceAfter=3)
MARGIN = 18 * mm
GRID = TableStyle(
    [
        ("FONT", (0, 0), (-1, -1), FONT, 7.5),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, HexColor(0x444444)),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, HexColor(0xCCCCCC)),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
    ]
)


def pdf(report: Report) -> bytes:
    """The document."""
    written = io.BytesIO()
    paper = SimpleDocTemplate(
        written,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=report.title,
        lang="zh-CN" if report.language == "zh" else "en",
        invariant=True,
    )
    paper.build([*_flow(report)])
    return written.getvalue()


def _flow(report: Report) -> Iterator[Flowable]:
    yield Paragraph(escape(report.title), TITLE)
    for line in report.about:
        yield Paragraph(escape(line), BODY)
    for section in report.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[Flowable]:
    yield Paragraph(escape(section.title), HEADING)
    for name, value in section.facts:
        yield Paragraph(f"{escape(name)}: {escape(value)}", BODY)
    if section.chart:
        yield drawing(section.chart, font=FONT)
    if section.table:
        yield Spacer(0, 4)
        yield _grid(section.table)
    yield Paragraph(escape(section.definition), SMALL)


def _grid(table: Table) -> Flowable:
    """Long titles are broken into lines, and the head is repeated on each page."""
    rows = [[Paragraph(escape(first), BODY), *others] for first, *others in table.rows]
    return Grid([[*table.head], *rows], style=GRID, repeatRows=1, hAlign="LEFT")
