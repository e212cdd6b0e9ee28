"""Bounds and choices of the model. Every size has a bound, and none was chosen for one data set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How much the model keeps and looks at. Counts are of items unless a name says otherwise."""

    max_items: int = 1_000_000
    """Items beyond are left out, and so are their pairs."""
    max_members: int = 5_000_000
    """Members beyond are left out, and so are their pairs."""
    max_pairs: int = 10_000_000
    """Rows of members and items beyond are left out."""
    max_history: int = 1_000
    """The newest so many of a member count for others; all are kept from being recommended again."""
    max_profile: int = 60
    """The newest so many of a member make the member's profile when scores are computed."""
    max_dense_items: int = 10_000
    """Up to so many items there are items x items matrices (EASE, cosine, sequences: 20 bytes for each pair of items);
    once there are more, the other parts go on alone. 0: never."""
    max_postings: int = 250
    """The newest so many members of one item are looked at when neighbours and transitions are sought."""
    candidates_per_source: int = 60
    """Each source of candidates gives its best so many."""
    parts: tuple[str, ...] = ()
    """Names of the parts in use; empty means all."""
    nets: int = 3
    """Nets whose mean ranks."""
    replay: int = 16_384
    """Outcomes kept for learning; about 4 KB each."""
