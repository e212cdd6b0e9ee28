"""Spark: implicit matrix factorisation by alternating least squares, on as many machines as Spark has.

Hu, Koren, Volinsky, ICDM 2008. Spark reads the export's pairs itself, so that this process never holds them: the folder
must be where all of Spark's machines see it. Contents without signals get no vector, for there are no features.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reco.training.factors import Trained, Vectors
from reco.training.java import java_home
from reco.training.parquet import Export
from reco.training.progress import EVERY_S
from reco.training.refusals import TrainingRefused, needed

ENGINE: Final = "spark"
ALPHA: Final = 10.0
"""A pair of strength s weighs 1 + ALPHA |s|, one that is not there 1."""
RIDGE: Final = 0.05
LEAST_BLOCKS: Final = 10
MAX_ROUNDS: Final = 30
"""More make a chain of stages that Spark can only follow with checkpoints."""


@dataclass(frozen=True)
class Choices:
    """`master`: as Spark names it, `local[2]` or a cluster's URL; `memory`: of the driver, as `4g`."""

    dimensions: int
    rounds: int
    seed: int
    most_s: float
    master: str
    memory: str


def trained(export: Export, choices: Choices) -> Trained:
    """Factors from an export. Blocking. Raises `TrainingRefused` where PySpark or a fitting Java is absent, Spark
    fails, or the time is up."""
    if choices.rounds > MAX_ROUNDS:
        raise TrainingRefused(f"--rounds must be 1 to {MAX_ROUNDS} for {ENGINE}")
    with _session(choices) as spark:
        rows = _item_factors(spark, export, choices).toArrow()
    numbers = rows["id"].to_numpy()
    vectors = rows["features"].combine_chunks().flatten().to_numpy().reshape(len(numbers), choices.dimensions)
    order, items = np.argsort(numbers), export.items()
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(items):
        raise TrainingRefused(f"{export.pairs_file} holds a number that is no item")
    names = tuple(items[number].content_id for number in numbers[order].tolist())
    nothing = Vectors((), np.zeros((0, choices.dimensions + 1), dtype=np.float32))
    unbiased = np.pad(vectors[order].astype(np.float32), ((0, 0), (0, 1)))
    return Trained(ENGINE, export.origin, Vectors(names, unbiased), nothing, nothing)


def _item_factors(spark: Any, export: Export, choices: Choices) -> Any:
    """A frame of item numbers and their vectors. A negative strength weighs, too, for that the member did not take to
    the item."""
    blocks = max(LEAST_BLOCKS, spark.sparkContext.defaultParallelism)
    engine = needed("pyspark.ml.recommendation", "PySpark").ALS(
        rank=choices.dimensions,
        maxIter=choices.rounds,
        regParam=RIDGE,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        implicitPrefs=True,
        alpha=ALPHA,
        userCol="member",
        itemCol="item",
        ratingCol="strength",
        seed=choices.seed,
    )
    pairs = spark.read.parquet(str(export.pairs_file.resolve())).select("member", "item", "strength")
    return engine.fit(pairs.where("strength <> 0")).itemFactors


@contextmanager
def _session(choices: Choices) -> Iterator[Any]:
    """A session of Spark that ends with the block, or when the time is up: then whatever it is asked fails."""
    sql = needed("pyspark.sql", "PySpark")
    os.environ["JAVA_HOME"] = str(java_home())
    over, late = threading.Event(), threading.Event()
    try:
        spark = _configured(sql.SparkSession.builder, choices).getOrCreate()
        watch = threading.Thread(target=_watch, args=(spark, choices.most_s, over, late), daemon=True)
        watch.start()
        try:
            yield spark
        finally:
            over.set()
            watch.join()
            spark.stop()
    except TrainingRefused:
        raise
    except Exception as error:
        if late.is_set():
            raise TrainingRefused(f"training took longer than {choices.most_s:,.0f} s") from error
        raise TrainingRefused(f"Spark failed: {_reason(error)}") from error


def _configured(builder: Any, choices: Choices) -> Any:
    settings = {
        "spark.driver.memory": choices.memory,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    if choices.master.startswith("local"):
        settings |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    builder = builder.master(choices.master).appName("reco-train")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder


def _watch(spark: Any, most_s: float, over: threading.Event, late: threading.Event) -> None:
    """Say what Spark is at, and end it when its time is up."""
    began = time.monotonic()
    while not over.wait(EVERY_S):
        passed_s = time.monotonic() - began
        tracker = spark.sparkContext.statusTracker()
        for stage in tracker.getActiveStageIds():
            if info := tracker.getStageInfo(stage):
                done = f"{info.numCompletedTasks}/{info.numTasks} tasks"
                sys.stderr.write(f"spark: stage {stage}, {done}, {passed_s:,.0f} s of at most {most_s:,.0f} s\n")
        if passed_s > most_s:
            late.set()
            spark.stop()
            return


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(getattr(error, "java_exception", None) or error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
