"""`python -m metrics report --creator ID --month 2026-03`: writes the month as a page and as a PDF.

Reads the service's settings and tables and changes nothing. Without a creator (`--all`), it is of the whole platform.
The figures are those of the service's answers as of the month's last day. Status 0: written; 2: refused, with the
reason.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from iso4217 import Currency
from pydantic import ValidationError

from eventfold.errors import EventfoldError
from lyceum.common.v1 import common_pb2
from metrics.activity.rpc import ActivityRpcs
from metrics.conversion.rpc import ConversionRpcs
from metrics.domain.windows import day_of, midnight
from metrics.quality.rpc import QualityRpcs
from metrics.reading import postgres_look
from metrics.report.document import Report
from metrics.report.gathering import Month, sections
from metrics.report.page import html
from metrics.report.pdf import pdf
from metrics.report.texts import LANGUAGES, Language, text
from metrics.retention.rpc import RetentionRpcs
from metrics.revenue.rpc import RevenueRpcs
from metrics.settings import MetricsSettings
from servicekit.call import Call, enter_call
from servicekit.caller import Caller
from servicekit.database import query_pool

WRITTEN, REFUSED = 0, 2
MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
OPERATOR: Final = Caller("report", "auditor", "report")


class ReportRefused(Exception):
    """The report cannot be written; the message says why and what to do."""


def main(argv: Sequence[str]) -> int:
    """Write both files, and print where they are; the exit status."""
    chosen = _parser().parse_args(argv)
    try:
        report = asyncio.run(_report(chosen, _settings()))
        written = _write(report, Path(chosen.to), f"{chosen.creator or 'all'}-{chosen.month}-{chosen.language}")
    except (ReportRefused, EventfoldError, OSError) as refusal:
        sys.stderr.write(f"{refusal}\n")
        return REFUSED
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return WRITTEN


def _settings() -> MetricsSettings:
    try:
        return MetricsSettings()
    except ValidationError as failure:
        missing = ", ".join(str(one["loc"][0]).upper() for one in failure.errors())
        raise ReportRefused(f"the settings of the service are needed in the environment: {missing}") from failure


async def _report(chosen: argparse.Namespace, settings: MetricsSettings) -> Report:
    now = datetime.now(UTC)
    month = _month(chosen, settings, now)
    as_of = min(midnight(month.last_day + timedelta(days=1), settings.zone) - timedelta(seconds=1), now)
    async with query_pool(settings.database_url, 1) as pool:
        look = postgres_look(pool, settings.zone)
        parts = (
            ActivityRpcs(look, settings.weights),
            RetentionRpcs(look),
            RevenueRpcs(look),
            ConversionRpcs(look),
            QualityRpcs(look, settings.metrics_prior_ratings),
        )
        applied: list[datetime] = []

        async def ask(request: Any) -> Any:
            name = type(request).__name__.removesuffix("Request")
            enter_call(_call(name, now))
            request.as_of.FromDatetime(as_of)
            answer = await next(getattr(one, name) for one in parts if hasattr(one, name))(request, None)
            applied.extend(_applied(answer.freshness))
            return answer

        found = await sections(month, ask)
    return Report(_title(chosen), month.language, _about(month, settings, now, applied), found)


def _call(name: str, now: datetime) -> Call:
    return Call(name, {}, OPERATOR, now, "metrics", b"", cast(Any, None))


def _applied(freshness: common_pb2.Freshness) -> list[datetime]:
    return [one.applied_at.ToDatetime(UTC) for one in freshness.sources]


def _month(chosen: argparse.Namespace, settings: MetricsSettings, now: datetime) -> Month:
    found = MONTH.fullmatch(chosen.month)
    if not found:
        raise ReportRefused(f"--month {chosen.month!r}: a month is written as 2026-03")
    year, number = int(found[1]), int(found[2])
    today = day_of(now, settings.zone)
    if not year >= 1970 or date(year, number, 1) > today:
        raise ReportRefused(f"--month {chosen.month}: has not begun, or lies before 1970")
    last_day = min(date(year, number, monthrange(year, number)[1]), today)
    try:
        decimals = Currency(chosen.currency).exponent or 0
    except ValueError as failure:
        raise ReportRefused(f"--currency {chosen.currency!r}: no currency of ISO 4217") from failure
    language: Language = "zh" if chosen.language == "zh" else "en"
    return Month(date(year, number, 1), last_day, chosen.creator, chosen.currency, decimals, language)


def _title(chosen: argparse.Namespace) -> str:
    return text("title", chosen.language, month=chosen.month)


def _about(month: Month, settings: MetricsSettings, now: datetime, applied: Sequence[datetime]) -> list[str]:
    who = month.say("of_creator", creator=month.creator_id) if month.creator_id else month.say("of_all")
    days = month.say("days", first=month.first_day, last=month.last_day, zone=settings.metrics_zone)
    folded = _stamp(max(applied)) if applied else month.say("nothing_folded")
    lines = [who, days, month.say("as_of", at=_stamp(now), applied=folded)]
    ended = month.last_day < day_of(now, settings.zone)
    return lines if ended else [*lines, month.say("still_lasts")]


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _write(report: Report, folder: Path, name: str) -> list[Path]:
    """Both, or, if one cannot be made, neither."""
    page, paper = html(report).encode(), pdf(report)
    folder.mkdir(parents=True, exist_ok=True)
    written = [(folder / f"{_safe(name)}.html", page), (folder / f"{_safe(name)}.pdf", paper)]
    for path, content in written:
        path.write_bytes(content)
    return [path for path, _ in written]


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m metrics report", description=__doc__)
    of = parser.add_mutually_exclusive_group(required=True)
    of.add_argument("--creator", default="", help="the creator's id")
    of.add_argument("--all", action="store_true", help="the whole platform")
    parser.add_argument("--month", required=True, help="as 2026-03; the month that still lasts is possible")
    parser.add_argument("--currency", default="CNY")
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument("--to", default=".", help="the folder for both files")
    return parser
