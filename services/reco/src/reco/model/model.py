"""The recommender: rows in, ranked content out. Pure: no input or output, no clock, and chance from a given generator.

Not thread-safe: one thread at a time may call it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reco.model.offers import FEWEST, Offer, Offers, only
from reco.model.panel import (
    CONTEXT,
    Panel,
    View,
    chosen,
    context_of,
    feature_names,
    features_of,
    seconds_log,
    view_of,
)
from reco.model.parts.als import DIMENSIONS, Als
from reco.model.parts.base import Job, Part, Profile
from reco.model.parts.content import Content
from reco.model.parts.given import Given, Vectors
from reco.model.parts.gram import Gram, Inverse
from reco.model.parts.linear import Cosine, Ease
from reco.model.parts.neighbours import Neighbours
from reco.model.parts.popularity import Popularity
from reco.model.parts.recent import Recent
from reco.model.parts.sequence import Sequences
from reco.model.parts.transitions import Transitions
from reco.model.ranker.ranker import Ranker
from reco.model.rows import Floats32, Ints, Item, Pair
from reco.model.settings import Settings
from reco.model.standing import Standing
from reco.model.state import StateRefused, packed, under, unpacked

BLEND = {
    "ease.10": 0.6,
    "als.15": 0.4,
    "local.4": 0.4,
    "cosine.10": 0.2,
    "markov.around": 0.3,
    "popular.30d": 0.15,
    "content.near": 0.15,
    "given": 0.15,
}
"""Weights of standardised scores before anything is learned; if none of these is in use, all columns weigh 1."""
SOURCES = frozenset(
    {"cosine.3", "ease.10", "local.4", "follow.5", "als.3", "als.15", "markov.around", "markov.step", "markov.session"}
    | {"users.knn", "sessions.near", "popular.7d", "recent.stage", "content.near", "given"}
)
"""Columns whose best items become candidates; all columns if none of these is in use."""
SETTLE_PAIRS = 64
SETTLE_SHARE = 0.001
"""The inverse is brought up to date after so many changes, and such a share of the pairs held: members' histories are
live without it, and it costs the more the more items there are."""
SWEEP_SHARE = 0.03
"""Share of new pairs after which the factors get another sweep."""
FIRST_SWEEPS = 6
CONTEXT_ITEMS = 10
BULK_PAIRS = 1_000
BULK_SHARE = 0.1
"""So many pairs at once, and such a share of those held, are taken member by member."""
MAX_VIEWS = 16
"""Views kept until the next change, so that what was scored is not computed again to learn from it."""


@dataclass(frozen=True)
class Ranking:
    """Candidates by number, best first, with their scores; `panel` is where they come from. `whole`: all eligible items
    are among them."""

    items: Ints
    scores: Floats32
    panel: Panel
    whole: bool


class Model:
    """Takes rows, scores members, and learns from what they then take to."""

    def __init__(self, settings: Settings, seed: np.random.Generator) -> None:
        self.settings = settings
        self.standing = standing = Standing(settings)
        self.gram = Gram()
        self.inverse = Inverse(self.gram, standing.timeline)
        self.als = Als(standing.timeline, seed)
        self.content, self.given = Content(), Given()
        self.sequences = Sequences(standing.timeline)
        self._dense: tuple[Part, ...] = ()
        if settings.max_dense_items:
            self._dense = Cosine(self.gram), Ease(self.inverse), self.sequences
        every: tuple[Part, ...] = (
            *self._dense,
            self.als,
            Transitions(standing.timeline, settings.max_postings),
            Neighbours(standing.timeline, settings.max_postings),
            Popularity(),
            Recent(standing.timeline),
            self.content,
            self.given,
        )
        wanted = set(settings.parts)
        scoring = tuple(one for one in every if not wanted or wanted & families(one))
        counting = (self.gram,) if any(isinstance(one, Cosine | Ease) for one in scoring) else ()
        standing.parts = (*counting, *scoring)
        self.columns = tuple(name for part in standing.parts for name in part.columns)
        self._sources = np.array(
            [at for at, name in enumerate(self.columns) if name in SOURCES] or range(len(self.columns))
        )
        names = feature_names(self.columns)
        self.ranker = Ranker(names, _start(self.columns, names), settings.nets, settings.replay, seed)
        self.offers = Offers()
        self._views: dict[tuple[str, int], tuple[View, Panel]] = {}
        self._since_settled = 0
        self._since_swept = 0
        self._swept_at = 0

    def take(self, pairs: Iterable[Pair], learn: bool = False) -> None:
        """Set rows. With `learn`, the ranker first learns from them: what it would have recommended before any of
        `pairs` against what the members then took to. So pass what happened at once in one call."""
        pairs = list(pairs)
        if learn:
            self._learn(pairs)
        self._views.clear()
        self._reserve(pair.content_id for pair in pairs)
        if len(pairs) >= max(BULK_PAIRS, BULK_SHARE * self.standing.timeline.size):
            changed = self.standing.take_all(pairs)
        else:
            changed = sum(self.standing.take(pair) for pair in pairs)
        self._since_settled += changed
        self._since_swept += changed

    def take_items(self, rows: Iterable[Item]) -> None:
        """Set what contents are and whether they are published."""
        rows = list(rows)
        self._views.clear()
        self._reserve(row.content_id for row in rows)
        for item, row in self.standing.take_items(rows):
            self.content.take(item, row)
            self.given.take(item, row)

    def choose(self, member_id: str, tags: tuple[str, ...]) -> None:
        """Set the tags that a member chose; they count as one more content of the history, with these tags."""
        self._views.clear()
        self.standing.choose(member_id, tags)

    def give(self, vectors: Vectors) -> None:
        """Use vectors that were trained elsewhere."""
        self._views.clear()
        self.given.give(vectors)

    def inherit(self, other: Model) -> None:
        """Use what another model has learned and was given; both go on with one ranker and with what waits for it. Its
        rows are not taken."""
        self.ranker, self.offers = other.ranker, other.offers
        if (vectors := other.given.vectors) is not None:
            self.give(vectors)

    def _reserve(self, content_ids: Iterable[str]) -> None:
        """Number new items; give the dense parts up before they grow beyond their bound. Their columns stay, empty."""
        for content_id in content_ids:
            self.standing.items.numbered(content_id)
        if self._dense and len(self.standing.items) > self.settings.max_dense_items:
            given_up = (self.gram, *self._dense)
            self.standing.parts = tuple(part for part in self.standing.parts if part not in given_up)
            self._dense = ()
            self.gram = Gram()
            self.inverse = Inverse(self.gram, self.standing.timeline)
            self.sequences = Sequences(self.standing.timeline)

    def drop(self, member_id: str, content_id: str) -> None:
        """Forget one row."""
        self._views.clear()
        self._since_settled += self.standing.drop(member_id, content_id)

    def forget(self, member_id: str) -> None:
        """Forget all of a member. The factors and nets forget by the sweeps and steps that follow."""
        self._views.clear()
        self.offers.forget(member_id)
        self._since_settled += self.standing.forget(member_id)

    def show(self, offer: Offer) -> bool:
        """A member was shown contents: keep them as they look now, so that the ranker learns from what the member takes
        of them. False, and nothing is kept, for an answer that is known or too old, for one that comes after what the
        member did next (the member's history would tell what was taken), and where fewer than two can be chosen."""
        if not self.offers.wants(offer) or self.standing.newest_us(offer.member_id) >= offer.at_us:
            return False
        view, panel = self._viewed(offer.member_id, offer.at_us)
        shown = self._numbers(offer.content_ids)
        left = np.flatnonzero(np.isin(shown, view.eligible))
        items = shown[left]
        if len(np.unique(items)) < max(FEWEST, len(items)):
            return False
        if not np.isin(items, panel.items).all():
            panel = self._panel(view, np.union1d(panel.items, items))
        self.offers.keep(only(offer, left.tolist()), panel.features[np.searchsorted(panel.items, items)])
        return True

    def maintain(self) -> None:
        """Do what is due of the work that is not done while rows are taken. May take seconds; call it often."""
        for job in self.due():
            job()()

    def due(self) -> Iterator[Job]:
        """The same as jobs, one after another: do a job in any thread, call its result in this one, ask for the next.
        Rows may be taken and members scored meanwhile. Only one caller at a time may go through them."""
        if self._since_settled >= max(SETTLE_PAIRS, SETTLE_SHARE * self.standing.timeline.size):
            yield from self._settling()
        if self._since_swept > SWEEP_SHARE * self._swept_at:
            yield from self._sweeping()

    def settle(self) -> None:
        """Bring the inverse up to date with all rows taken."""
        for job in self._settling():
            job()()

    def sweep(self) -> None:
        """Bring the factors closer to the rows; the first time, by several sweeps."""
        for job in self._sweeping():
            job()()

    def _settling(self) -> Iterator[Job]:
        self._since_settled = 0
        if self._dense:
            yield self.inverse.settling()
        self._views.clear()

    def _sweeping(self) -> Iterator[Job]:
        first, self._since_swept = not self._swept_at, 0
        self._swept_at = self.standing.timeline.size
        for _ in range(FIRST_SWEEPS if first else 1):
            yield self.als.sweeping(len(self.standing.items))
        if self._dense:
            yield self.sequences.sweeping(len(self.standing.items))
        self._views.clear()

    def to_bytes(self) -> bytes:
        """What is learned and does not follow from the rows alone: the ranker, and the items' factors by id."""
        arrays = {f"ranker.{name}": one for name, one in self.ranker.state().items()}
        factors = self.als.items
        ids = [self.standing.items.name(item) for item in range(len(factors))]
        return packed({**arrays, "als.items": factors, "als.ids": np.array(ids, dtype=np.str_)})

    def from_bytes(self, state: bytes) -> None:
        """Go on from what was learned; call it after the rows have been taken. Raises `StateRefused`, and then
        nothing has changed."""
        arrays = unpacked(state)
        ranker, factors, ids = under("ranker.", arrays), arrays.get("als.items"), arrays.get("als.ids")
        self.ranker.check(ranker)
        if factors is None or ids is None or factors.shape != (len(ids), DIMENSIONS) or not np.isfinite(factors).all():
            raise StateRefused("the factors are damaged or of another size")
        self.ranker.restore(ranker)
        self._restore_factors(ids.tolist(), factors)
        self._views.clear()

    def _restore_factors(self, ids: Sequence[str], factors: Floats32) -> None:
        if not len(ids):
            return
        found = np.zeros((len(self.standing.items), DIMENSIONS), dtype=np.float32)
        for row, content_id in enumerate(ids):
            item = self.standing.items.number(content_id)
            if item is not None:
                found[item] = factors[row]
        self.als.restore(found)
        self._swept_at, self._since_swept = self.standing.timeline.size, 0

    def ranked(self, member_id: str, now_us: int, passing: Callable[[str], bool] | None = None) -> Ranking:
        """All candidates for a member, best first; equal scores by the items' ties. With `passing`, only contents whose
        ids pass are looked at, each of them."""
        view, panel = self._viewed(member_id, now_us)
        if passing is not None:
            panel = self._among(view, passing)
        scores = self.ranker.scores(panel.features)
        order = np.lexsort((self.standing.items.ties[panel.items], -scores))
        kept = Panel(panel.items[order], panel.scores[:, order], panel.features[order])
        return Ranking(kept.items, scores[order], kept, len(kept.items) == len(view.eligible))

    def view(self, member_id: str, now_us: int) -> View:
        """Each part's scores of all that could be recommended to a member."""
        return self._viewed(member_id, now_us)[0]

    def explained(self, member_id: str, now_us: int, content_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Why a member is recommended each of these contents: the column that speaks most for it, and the content of
        the history that does. Either is empty if nothing speaks for it."""
        view, known = self.view(member_id, now_us), self.standing.items
        items = self._numbers(content_ids)
        open_ = np.isin(items, view.eligible)
        spoken = iter(self._spoken(view, items[open_]))
        because = self._because(view.profile, items).tolist()
        return [
            (next(spoken), known.name(cause) if cause >= 0 else "") if one else ("", "")
            for one, cause in zip(open_.tolist(), because, strict=True)
        ]

    def _numbers(self, content_ids: Iterable[str]) -> Ints:
        """Items by id, -1 for those that are not known."""
        found = (self.standing.items.number(one) for one in content_ids)
        return np.array([-1 if item is None else item for item in found], dtype=np.int64)

    def _spoken(self, view: View, items: Ints) -> list[str]:
        """The columns that lift eligible items most above the others; where none does, as among very few, the first
        that has anything to say."""
        if not self.columns or not len(items):
            return [""] * len(items)
        said = view.standard(items)
        said = np.where(said.max(axis=0) > 0, said, view.scores[:, items] > 0)
        best, most = said.argmax(axis=0).tolist(), said.max(axis=0).tolist()
        return [self.columns[at] if lifted > 0 else "" for at, lifted in zip(best, most, strict=True)]

    def _among(self, view: View, passing: Callable[[str], bool]) -> Panel:
        """The panel of those that pass: all of them, or the best of each source if they are many."""
        passed = [item for item in view.eligible.tolist() if passing(self.standing.items.name(item))]
        only = view.only(np.array(passed, dtype=np.int64))
        return self._panel(view, chosen(only, self._sources, self.settings.candidates_per_source))

    def _because(self, profile: Profile, items: Ints) -> Ints:
        """For each item the one of the history that speaks most for it, -1 for none."""
        for part in self.standing.parts:
            if isinstance(part, Ease | Als):
                return part.because(profile, items)
        return np.full(len(items), -1, dtype=np.int64)

    def _viewed(self, member_id: str, now_us: int) -> tuple[View, Panel]:
        key = (member_id, now_us)
        if key not in self._views:
            view = self._view(self.standing.profile(member_id, now_us))
            if len(self._views) >= MAX_VIEWS:
                self._views.clear()
            self._views[key] = view, self._panel(view, chosen(view, self._sources, self.settings.candidates_per_source))
        return self._views[key]

    def _view(self, profile: Profile) -> View:
        count = len(self.standing.items)
        scores: dict[str, Floats32] = {}
        for part in self.standing.parts:
            scores.update(part.scores(profile, count))
        return view_of(profile, self.columns, scores, self.standing.open(profile))

    def _panel(self, view: View, items: Ints) -> Panel:
        scores = view.standard(items)
        context = context_of(view.profile, self._members_of(view.profile.items[:CONTEXT_ITEMS]))
        about = self._item_features(items, view.profile.now_us, context)
        return Panel(items, scores, features_of(scores, about, context))

    def _item_features(self, items: Ints, now_us: int, context: Floats32) -> Floats32:
        """Members of each item, its age and the time since its newest signal, as logarithms; and how far its members
        are from those of the profile's items."""
        line = self.standing.timeline
        members = self._members_of(items)
        quiet = now_us - line.last_us(items)
        ages = self.standing.ages_us(items, now_us)
        beside = np.abs(members - context[CONTEXT.index("context.members")])
        return np.stack([members, seconds_log(ages), seconds_log(quiet), beside])

    def _members_of(self, items: Ints) -> Floats32:
        counts = self.standing.timeline.posted(items).astype(np.float32)
        return np.asarray(np.log1p(counts) / 4.0)

    def _learn(self, pairs: Sequence[Pair]) -> None:
        seen: set[tuple[str, str]] = set()
        for pair in pairs:
            item = self.standing.items.number(pair.content_id)
            key = pair.member_id, pair.content_id
            if item is not None and key not in seen and pair.strength > 0 and self._is_next(pair):
                self._outcome(pair, item)
                if (choice := self.offers.choose(*key, pair.first_us)) is not None:
                    self.ranker.add(*choice)
            seen.add(key)

    def _is_next(self, pair: Pair) -> bool:
        """Whether a row is the member's first with its content, and not older than the member's newest step."""
        in_order = pair.first_us >= self.standing.newest_us(pair.member_id)
        return in_order and not self.standing.has_row(pair.member_id, pair.content_id)

    def _outcome(self, pair: Pair, item: int) -> None:
        """Learn from a candidate that was taken. One that was none is left out: the nets would learn that whatever no
        source names is what members take."""
        _, panel = self._viewed(pair.member_id, pair.first_us)
        at = panel.find(item)
        if at is not None and len(panel.items) > 1:
            self.ranker.add(panel.features, at)


def _start(columns: tuple[str, ...], names: tuple[str, ...]) -> Floats32:
    """The blend as weights of features, in which scores stand halved."""
    blend = {name: weight for name, weight in BLEND.items() if name in columns} or dict.fromkeys(columns, 1.0)
    return np.array([2.0 * blend.get(name, 0.0) for name in names], dtype=np.float32)


def families(part: Part) -> set[str]:
    """The names by which a part is switched on: its columns, and what stands before their dots."""
    return {*part.columns, *(name.partition(".")[0] for name in part.columns)}
