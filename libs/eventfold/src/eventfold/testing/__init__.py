"""For tests of whoever builds on eventfold: decisions told as given, when, then; records and folding in memory.

`Story` tells a decision. `record` makes a public event, `folded` gives the tables after some batches of them,
`rearranged` and `cut` bring them in the orders and batches in which they may come.
"""

from eventfold.testing.costs import Cost, counted
from eventfold.testing.deciding import Decision, Story
from eventfold.testing.folding import Tables, folded
from eventfold.testing.orders import cut, rearranged
from eventfold.testing.records import record

__all__ = ["Cost", "Decision", "Story", "Tables", "counted", "cut", "folded", "rearranged", "record"]
