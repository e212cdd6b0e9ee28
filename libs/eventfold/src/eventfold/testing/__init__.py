"""Test helpers for users of eventfold: decisions as given, when, then; records and folding in memory.

`Story` tests a decision. `record` makes a public event, and `folded` returns the tables after some batches of events.
`rearranged` and `cut` give the orders and batches in which events may arrive.
"""

from eventfold.testing.costs import Cost, counted
from eventfold.testing.deciding import Decision, Story
from eventfold.testing.folding import Tables, folded
from eventfold.testing.orders import cut, rearranged
from eventfold.testing.records import record

__all__ = ["Cost", "Decision", "Story", "Tables", "counted", "cut", "folded", "rearranged", "record"]
