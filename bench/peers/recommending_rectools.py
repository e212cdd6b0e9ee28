"""RecTools' EASE: its sequence models (SASRec, BERT4Rec, eSASRec, HSTU) need torch, which this environment has not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rectools.dataset import Dataset
from rectools.models import EASEModel

from bench.peers.recommending_linear import REGULARISATION, Linear


class RecToolsEase(Linear):
    """RecTools' `EASEModel`, the best of its models that need no torch, by its own fit; then its matrix, live."""

    name = "rectools"

    def fit(self) -> None:
        """Fit RecTools' model to all events."""
        frame = pd.DataFrame(self.taken, columns=["user_id", "item_id", "datetime"])
        frame["datetime"] = pd.to_datetime(frame["datetime"], unit="s")
        frame["weight"] = 1.0
        dataset = Dataset.construct(frame)
        model = EASEModel(regularization=REGULARISATION, recommend_n_threads=1)
        model.fit(dataset)
        numbers = dataset.item_id_map.external_ids.astype(np.int64)
        self.matrix = np.zeros((len(self.items), len(self.items)), dtype=np.float32)
        self.matrix[np.ix_(numbers, numbers)] = model.weight
