"""All questions, and the key by which one is known again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final

from metrics.release.domain.benchmark import Benchmark
from metrics.release.domain.loss import Accounting, Loss
from metrics.release.domain.release import Source
from metrics.release.domain.retention import Retention
from metrics.release.domain.trend import Trend

Question = Benchmark | Retention | Trend
KEY_CHARS: Final = 32


def normalised(question: Question, accounting: Accounting, loss: Loss) -> str:
    """The question as JSON, the same for the same question: with its loss, because another loss is another noise."""
    about = {
        "kind": question.kind,
        "accounting": accounting,
        "nano": loss.nano,
        "delta_femto": loss.delta_femto,
        **question.canonical(),
    }
    return json.dumps(about, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def key_of(text: str) -> str:
    """The key of a normalised question."""
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_CHARS]


def position_of(sources: Sequence[Source]) -> str:
    """The position of the data: the same only where every projection had read as far. It tells how far they had read,
    not what: a finer one would tell whether somebody's rows had changed."""
    told = [[one.projection, one.topic, one.partition, one.seq] for one in sorted(sources, key=_order)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:KEY_CHARS]


def _order(one: Source) -> tuple[str, str, int]:
    return one.projection, one.topic, one.partition
