"""One algorithm under RecNextEval's own protocol, in its environment: its own ones, or ours through a pipe.

`python -m bench.peers.recommending_nexteval NAME --root FOLDER [--scorer PYTHON] [--ranks]` prints, last, one line of
JSON. `--root` is where RecNextEval finds its data and writes its logs: FOLDER/data/movielens/ml-100k_u.data.

RecNextEval 1.1.1 reads the values that an algorithm submits as ranks (its NDCG goes above 1 for scores below 1).
`--ranks` turns what its own algorithms submit into ranks, which makes its NDCG what it is meant to be. That also cuts
the one column too many that its ItemKNN submits, on which it crashes. Ours is judged both ways in one run: as ranks,
and as scores of at most 1, which is what its own algorithms submit.
"""

from __future__ import annotations
import __future__

import argparse
import importlib.util
import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.metadata import version
from pathlib import Path
from types import CodeType
from typing import Any

OURS = "Lyceum"
TRAINING_T, WINDOW_S = 874_724_710 + 5 * 86_400, 30 * 86_400
"""Begin of the first window and length of each, as in RecNextEval's demonstration with MovieLens-100K."""
TOP_K = 10
"""Its default: a member's first so many events of a window are predicted; NDCG, precision and recall are at so many."""
METRICS = ("NDCGK", "PrecisionK", "RecallK")
LATE = "recnexteval.registries.algorithm"
"""Does not import before Python 3.14: a class names a type that a field of it hides. Late annotations mend it."""
ROWS_AT_ONCE = 2_000


def main(argv: Sequence[str]) -> int:
    """Run one algorithm; 0."""
    parser = argparse.ArgumentParser(prog="bench.peers.recommending_nexteval", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--scorer", help="the interpreter of .venv, which has the service's model")
    parser.add_argument("--ranks", action="store_true")
    chosen = parser.parse_args(argv)
    prepare(chosen.root)
    print(json.dumps({**evaluated(chosen.name, chosen.scorer, chosen.ranks), "recnexteval": version("recnexteval")}))
    return 0


def prepare(root: Path) -> None:
    """Tell RecNextEval where its data are, before it looks for them above its own place; and let it be imported."""
    package = importlib.util.find_spec("recnexteval")
    assert package is not None and package.submodule_search_locations
    name = "recnexteval.utils.path"
    spec = importlib.util.spec_from_file_location(name, Path(package.submodule_search_locations[0]) / "utils/path.py")
    assert spec is not None and spec.loader is not None
    paths = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(paths)
    vars(paths)["_REPO_ROOT_CACHE"] = root
    sys.modules[name] = paths
    sys.meta_path.insert(0, _Late)


class _LateLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        flags = __future__.annotations.compiler_flag
        code: CodeType = compile(self.get_data(self.path), self.path, "exec", flags=flags, dont_inherit=True)
        return code


class _Late(PathFinder):
    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        found = super().find_spec(fullname, path, target) if fullname == LATE else None
        if found is not None and found.origin is not None:
            found.loader = _LateLoader(fullname, found.origin)
        return found


def evaluated(name: str, scorer: str | None, ranks: bool) -> dict[str, Any]:
    """Marks of one algorithm, micro (over members and windows) and macro (over windows)."""
    from recnexteval.datasets import MovieLens100K
    from recnexteval.evaluators import EvaluatorPipelineBuilder
    from recnexteval.settings import SlidingWindowSetting

    logging.disable(logging.CRITICAL)
    setting = SlidingWindowSetting(training_t=TRAINING_T, window_size=WINDOW_S, top_K=TOP_K)
    setting.split(MovieLens100K().load())
    builder = EvaluatorPipelineBuilder()
    builder.add_setting(setting)
    builder.set_metric_k(TOP_K)
    for metric in METRICS:
        builder.add_metric(metric)
    for kind in algorithms(name, scorer, ranks):
        builder.add_algorithm(kind, params={"K": TOP_K})
    evaluator = builder.build()
    evaluator.run()
    return {level: _marks(evaluator.metric_results(level), f"{level}_score") for level in ("micro", "macro")}


def _marks(table: Any, column: str) -> dict[str, dict[str, float]]:
    """By algorithm and metric."""
    found: dict[str, dict[str, float]] = {}
    for (name, metric), value in table[column].items():
        found.setdefault(str(name).partition("(")[0], {})[str(metric).lower()] = float(value)
    return found


def algorithms(name: str, scorer: str | None, ranks: bool) -> list[Any]:
    """The class of one of RecNextEval's algorithms, or the two of ours, of which the first is fitted."""
    from recnexteval.registries import ALGORITHM_REGISTRY

    if name == OURS:
        return _ours(Pipe(scorer or sys.executable))
    found = ALGORITHM_REGISTRY.get(name)
    return [_ranking(found) if ranks else found]


def _ranking(kind: Any) -> Any:
    """The same algorithm, which submits the ranks of its scores, in the shape that it was asked for."""
    from recnexteval.algorithms.utils import get_top_K_ranks

    def predict(self: Any, asked: Any) -> Any:
        return get_top_K_ranks(kind._predict(self, asked)[:, : asked.user_item_shape[1]].tocsr(), TOP_K)

    return type(kind.__name__, (kind,), {"_predict": predict, "__init__": kind.__init__})


def _ours(pipe: Pipe) -> list[Any]:
    """Our model as RecNextEval's algorithms: it is fitted by telling the scorer of events, and asks it."""
    from recnexteval.algorithms.core import TopKAlgorithm
    from scipy.sparse import csr_matrix

    class Lyceum(TopKAlgorithm):
        """Lyceum's recommender, live, in a process of its own; it submits ranks."""

        IS_BASE = False

        def __init__(self, K: int = TOP_K) -> None:  # noqa: N803 - RecNextEval's name
            super().__init__(K)
            self.fitted_ = True

        def fit(self, X: Any) -> Any:  # noqa: N803
            """Events with their times, which the base class would leave out."""
            pipe.take(X._df[["uid", "iid", "ts"]].values.tolist())
            return self

        def _fit(self, X: Any) -> Any:  # noqa: N803
            raise NotImplementedError("fit takes the events with their times")

        def _predict(self, X: Any) -> Any:  # noqa: N803
            rows = X.filter_for_predict()._df[["uid", "ts"]].values.tolist()
            best = pipe.rank(rows, self.K)
            where = [(row, int(item), self.value(at)) for row, own in enumerate(best) for at, item in enumerate(own)]
            at, items, values = zip(*where, strict=True) if where else ((), (), ())
            return csr_matrix((values, (at, items)), shape=(len(rows), X.user_item_shape[1]), dtype=float)

        def value(self, place: int) -> float:
            """What is submitted for a place, from 0."""
            return place + 1.0

    class LyceumScores(Lyceum):
        """The same rankings, submitted as scores: 1 for the first, a tenth less for each one after it."""

        def fit(self, X: Any) -> Any:  # noqa: N803
            """The scorer has been told."""
            return self

        def value(self, place: int) -> float:
            return float(1.0 - place / self.K)

    return [Lyceum, LyceumScores]


class Pipe:
    """Asks the scorer, a child process that ends with this one."""

    def __init__(self, python: str) -> None:
        command = [python, "-m", "bench.recommending_scorer"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._ranked: tuple[Sequence[Sequence[Any]], list[list[str]]] = [], []

    def take(self, rows: Sequence[Sequence[Any]]) -> None:
        """Tell of events: member, content, unix_time."""
        self._ranked = [], []
        ordered = sorted(rows, key=lambda row: row[2])
        taken = 0
        for part in _parts(ordered):
            taken += self._asked({"take": part})["taken"]
            print(f"{OURS}: {taken}/{len(ordered)} events of a window taken", file=sys.stderr, flush=True)

    def rank(self, rows: Sequence[Sequence[Any]], count: int) -> list[list[str]]:
        """The best for each member and time; asked for the same again, the same."""
        if rows != self._ranked[0]:
            best = [one for part in _parts(rows) for one in self._asked({"rank": part, "count": count})["best"]]
            self._ranked = rows, best
        return self._ranked[1]

    def _asked(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the scorer ended before it answered; its own words stand above")
        found: dict[str, Any] = json.loads(line)
        return found


def _parts(rows: Sequence[Any]) -> list[Sequence[Any]]:
    """Rows in parts. A second is never split between two: the rows of one time stay together."""
    parts, first = [], 0
    while first < len(rows):
        last = min(first + ROWS_AT_ONCE, len(rows))
        while last < len(rows) and rows[last][-1] == rows[last - 1][-1]:
            last += 1
        parts.append(rows[first:last])
        first = last
    return parts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
