"""The recommender's peers against scores that were worked out by hand, and how they are compared with ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.peers.recommending_counts import ItemKnn, Markov, Popularity
from bench.peers.recommending_linear import REGULARISATION, Ease
from bench.peers.recommending_scoring import RECENT_ITEMS, Scoring, recent
from bench.peers.recommending_walk import walked
from bench.recommending_peers import as_text, compared
from reco.evaluation.files import Event, WrongFile
from reco.evaluation.outcomes import Outcome, Outcomes, write_outcomes
from reco.evaluation.walking import Protocol, Published

DAY = 86_400


def told(peer: Scoring, *events: tuple[str, str, int]) -> Scoring:
    """The peer after events, each one alone."""
    for member, content, at in events:
        peer.take([Event(member, content, at, 1.0)], learn=True)
        peer.publish([Published(content, at)])
    return peer


def test_given_takings_of_other_days_when_popularity_scores_then_each_counts_half_after_thirty_days() -> None:
    peer = told(Popularity(0), ("m", "a", 0), ("n", "a", 0), ("m", "b", 30 * DAY), ("n", "c", 60 * DAY))
    scores = peer.scores(-1, [], 60 * DAY)
    assert scores / scores[2] == pytest.approx([2 / 4, 1 / 2, 1.0])


def test_given_years_between_when_popularity_scores_then_nothing_overflows() -> None:
    peer = told(Popularity(0), ("m", "a", 0), ("m", "b", 9_000 * DAY), ("n", "b", 9_000 * DAY), ("m", "c", 9_030 * DAY))
    scores = peer.scores(-1, [], 9_030 * DAY)
    assert np.isfinite(scores).all()
    assert scores[1:] / scores[2] == pytest.approx([1.0, 1.0])
    assert scores[0] == pytest.approx(0.0, abs=1e-6)


def test_given_pairs_when_item_knn_scores_then_it_is_by_cosine() -> None:
    peer = told(ItemKnn(0), ("m", "a", 1), ("m", "b", 2), ("n", "a", 3), ("n", "b", 4), ("o", "a", 5), ("o", "c", 6))
    a, b, c = 0, 1, 2
    scores = peer.scores(-1, [a], 9)
    assert scores[b] == pytest.approx(2 / np.sqrt(3 * 2), rel=1e-6)
    assert scores[c] == pytest.approx(1 / np.sqrt(3 * 1), rel=1e-6)


def test_given_chains_when_markov_scores_then_nearer_steps_count_more() -> None:
    peer = told(Markov(0), ("m", "a", 1), ("m", "b", 2), ("m", "c", 3))
    # a is followed by b (1) and by c (0.8); 5 more stand below the line, so that little evidence counts little
    assert peer.scores(-1, [0], 9) == pytest.approx([0.0, 1.0 / 6.8, 0.8 / 6.8])
    assert peer.scores(-1, [0, 1], 9) == pytest.approx([0.0, 0.8 / 6.8, 0.8 * 0.8 / 6.8 + 1.0 / 6.0])


def test_given_members_when_ease_fits_then_each_column_is_the_ridge_regression_on_the_other_items() -> None:
    chance = np.random.default_rng(2)
    peer, table = Ease(0), (chance.random((40, 6)) < 0.5).astype(float)
    pairs = [Event(f"m{row}", f"c{item}", 1, 1.0) for item in range(6) for row in range(40) if table[row, item]]
    peer.take(pairs, learn=True)
    for item in range(6):
        others = [at for at in range(6) if at != item]
        x, y = table[:, others], table[:, item]
        weights = np.linalg.solve(x.T @ x + REGULARISATION * np.eye(5), x.T @ y)
        assert peer.matrix[others, item] == pytest.approx(weights, abs=1e-6)
        assert peer.matrix[item, item] == pytest.approx(0.0, abs=1e-6)


def test_given_a_history_when_a_live_profile_is_made_then_newer_items_weigh_more_and_old_ones_nothing() -> None:
    items, weights = recent([7, 8, 9], limit=9)
    assert items.tolist() == [8, 7]
    assert weights[1] / weights[0] == pytest.approx(0.5 ** (1 / 5))
    assert len(recent(list(range(500)))[0]) == RECENT_ITEMS


def test_given_what_a_member_had_or_disliked_or_is_not_published_when_ranked_then_it_is_left_out() -> None:
    peer = told(Popularity(0), ("m", "a", 1), ("n", "b", 2), ("n", "c", 3), ("o", "c", 4))
    peer.take([Event("m", "b", 5, -1.0), Event("o", "d", 5, 1.0)], learn=True)
    assert peer.best("m", 6, 10) == ["c"]
    assert peer.best("unknown", 6, 2)[0] == "c"
    assert sorted(peer.best("unknown", 6, 10)) == ["a", "b", "c"]


def test_given_no_history_or_equal_scores_when_ranked_then_what_is_popular_comes_first() -> None:
    peer = told(Markov(0), ("m", "a", 1), ("n", "b", 2), ("o", "b", 3), ("o", "c", 4), ("p", "c", 5), ("q", "c", 6))
    assert peer.best("unknown", 7, 10) == ["c", "b", "a"]
    assert peer.best("n", 7, 10) == ["c", "a"]  # c follows b
    assert peer.best("m", 7, 10) == ["c", "b"]  # nothing follows a: by popularity


def test_given_equal_scores_when_ranked_then_their_order_is_random_and_seeded() -> None:
    events = [("m", f"c{at}", 1) for at in range(30)]
    one, same, other = (told(Popularity(seed), *events).best("n", 2, 20) for seed in (0, 0, 1))
    assert one == same
    assert one != other


def test_given_a_stream_when_a_peer_walks_then_the_chain_in_it_is_found() -> None:
    chain = [Event(f"m{member}", f"c{at}", 100 * member + at, 1.0) for member in range(30) for at in range(8)]
    run = walked(Markov(0), chain, Protocol("strict", 0.5, 0.5), seed=0)
    assert run.scored == 120
    assert run.marks(8)["markov"]["ndcg_at_10"] > 0.8


def outcomes(name: str, ranks: list[int], members: str = "mmnn") -> Outcomes:
    keys = [Outcome(at, member, "c", 5, 0, 0) for at, member in enumerate(members)]
    return Outcomes(keys, {name: ranks})


def test_given_outcomes_of_both_when_compared_then_the_difference_is_over_the_same_events(tmp_path: Path) -> None:
    write_outcomes(tmp_path / "strict-0.csv", outcomes("hybrid", [0, 0, 0, 20]))
    write_outcomes(tmp_path / "ease-strict-0.csv", outcomes("ease", [0, 20, 20, 20]))
    found = compared(tmp_path, "strict", "ease", seeds=1)
    assert found["hit_rate_at_20"]["mean"] == pytest.approx(0.5)
    assert (found["hit_rate_at_20"]["low"], found["hit_rate_at_20"]["high"]) == (0.5, 0.5)  # both members gained alike


def test_given_outcomes_of_another_walk_when_compared_then_it_is_refused(tmp_path: Path) -> None:
    write_outcomes(tmp_path / "strict-0.csv", outcomes("hybrid", [0, 0, 0, 20]))
    write_outcomes(tmp_path / "ease-strict-0.csv", outcomes("ease", [0, 20, 20, 20], members="mnmn"))
    with pytest.raises(WrongFile, match="the walks differ"):
        compared(tmp_path, "strict", "ease", seeds=1)


def test_given_a_report_when_shown_then_the_best_peer_stands_first() -> None:
    def marks(mean: float) -> dict[str, dict[str, float]]:
        names = ("ndcg_at_10", "hit_rate_at_20", "coverage", "score_ms", "update_ms")
        return {name: {"mean": mean, "spread": 0.0} for name in names}

    peers = {"strict": {"worse": marks(0.1), "better": marks(0.2)}}
    shown = as_text({"events": 9, "seeds": 1, "versions": {"numpy": "2"}, "peers": peers, "best": {}})
    assert [line.split()[0] for line in shown.splitlines()[3:]] == ["better", "worse"]
