"""For tests of whoever builds on eventfold: records as folds get them, and folding in memory."""

from eventfold.testing.folding import Tables, folded
from eventfold.testing.records import record

__all__ = ["Tables", "folded", "record"]
