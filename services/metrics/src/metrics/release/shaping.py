"""Releases and budgets as messages."""

from __future__ import annotations

import math
from typing import Final

from lyceum.metrics.v1 import release_pb2 as pb
from metrics.release.domain.budget import Grant, Ledger
from metrics.release.domain.drawing import SUPPRESSED_UNDER_MEMBERS, Figure
from metrics.release.domain.loss import NANO, Accounting, Loss, epsilon_of
from metrics.release.domain.mechanism import Mechanism, variance
from metrics.release.domain.questions import Question
from metrics.release.orders import Answer
from metrics.release.projections import BudgetRow
from servicekit.times import stamp

CONVERSION_DELTA: Final = 1e-6
"""At which rho is shown as epsilon."""
GUARANTEE: Final[dict[Accounting, str]] = {
    "pure": "({epsilon:.6g}, {delta:.3g})-differential privacy of a member: with or without all rows of one member, no "
    "outcome is more than e^{epsilon:.6g} times as likely, but for outcomes of probability {delta:.3g}",
    "zcdp": "rho = {rho:.6g} zero-concentrated differential privacy of a member, with or without all rows of one "
    "member (delta-approximately, delta = {delta:.3g}); so ({epsilon:.4g}, {whole_delta:.3g})-differential privacy",
}
CONVERSION: Final[dict[Accounting, str]] = {
    "pure": "basic composition: epsilons and deltas add up",
    "zcdp": "epsilon = rho + 2 sqrt(rho ln(1/1e-6)), delta = 1e-6 + what was spent of it (Bun and Steinke, TCC 2016, "
    "proposition 1.3)",
}


def release(answer: Answer, question: Question) -> pb.Release:
    """A release with its figures."""
    made = answer.made
    amount, is_pure = made.loss.amount, made.accounting == "pure"
    return pb.Release(
        release_id=made.release_id,
        owner=made.owner,
        period=made.period,
        figures=[_figure(one) for one in question.figures_of(made.drawn, made.public)],
        suppressed=made.is_suppressed,
        suppressed_under_members=SUPPRESSED_UNDER_MEMBERS,
        public_numbers=made.public,
        accounting=made.accounting,
        epsilon=amount if is_pure else 0.0,
        rho=0.0 if is_pure else amount,
        delta=made.loss.delta,
        selection=_mechanism(made.selection) if made.selection else None,
        guarantee=guarantee(made.accounting, made.loss),
        made_at=stamp(made.made_at),
        data_position=made.position,
        earlier=answer.is_earlier,
        paid=answer.is_paid,
        left=answer.left.amount,
    )


def guarantee(accounting: Accounting, loss: Loss) -> str:
    """What a loss promises, in words."""
    epsilon, whole_delta = as_epsilon(accounting, loss)
    return GUARANTEE[accounting].format(epsilon=epsilon, rho=loss.amount, delta=loss.delta, whole_delta=whole_delta)


def as_epsilon(accounting: Accounting, loss: Loss) -> tuple[float, float]:
    """A loss as epsilon and delta."""
    if accounting == "pure":
        return loss.amount, loss.delta
    return epsilon_of(loss.amount, CONVERSION_DELTA), loss.delta + CONVERSION_DELTA


def _figure(one: Figure) -> pb.Figure:
    return pb.Figure(
        name=one.name,
        partition=one.partition,
        value=one.value,
        error=one.error,
        mechanism=_mechanism(one.mechanism) if one.mechanism else None,
        formula=one.formula,
    )


def _mechanism(one: Mechanism) -> pb.Mechanism:
    is_gaussian = one.name == "gaussian"
    return pb.Mechanism(
        name=one.name,
        epsilon=0.0 if is_gaussian else one.amount,
        rho=one.amount if is_gaussian else 0.0,
        delta=one.delta,
        sensitivity=one.sensitivity,
        partitions_at_most=one.bounds.partitions,
        per_partition_at_most=one.bounds.per_partition,
        low=one.bounds.low,
        high=one.bounds.high,
        noise_std=0.0 if one.name == "truncated_geometric" else math.sqrt(variance(one)),
    )


def budget(owner: str, period: str, ledger: Ledger, default: Grant) -> pb.PrivacyBudget:
    """A ledger; `default` is what would be granted with its first payment."""
    grant, spent = ledger.grant or default, ledger.spent
    epsilon, delta = as_epsilon(grant.accounting, spent)
    return pb.PrivacyBudget(
        owner=owner,
        period=period,
        accounting=grant.accounting,
        granted=grant.loss.amount,
        spent=spent.amount,
        left=ledger.left(grant).amount,
        delta_granted=grant.loss.delta,
        delta_spent=spent.delta,
        open_left=ledger.open_nano_left(grant) / NANO,
        releases=ledger.releases,
        epsilon=epsilon,
        delta=delta,
        conversion=CONVERSION[grant.accounting],
        opened=ledger.grant is not None,
    )


def ledger_of(row: BudgetRow) -> Ledger:
    """The ledger that a row of the list stands for."""
    accounting: Accounting = "zcdp" if row.accounting == "zcdp" else "pure"
    granted = Grant(accounting, Loss(row.granted_nano, row.granted_delta_femto), row.open_percent)
    spent = Loss(row.spent_nano, row.spent_delta_femto)
    return Ledger(granted if row.accounting else None, spent, row.open_spent_nano, row.releases)
