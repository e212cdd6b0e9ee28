"""Content quality: completion, and ratings that few votes cannot carry away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Order = Literal["rating", "completion", "viewers"]
ORDERS: Final[tuple[Order, ...]] = ("rating", "completion", "viewers")
FORMULA_QUALITY = (
    "viewers: members who viewed or completed the content; completion = completed / viewers; ratings: each member's "
    "present one; Bayesian rating = (c*m + sum of ratings) / (c + ratings), m the mean of all ratings of the platform"
    " and c the number of ratings that it weighs (Bayesian average)"
)


@dataclass(frozen=True, slots=True)
class Prior:
    """The mean of all ratings of the platform (0 without any), and how many ratings it weighs."""

    mean: float
    ratings: float

    def rating(self, total: int, ratings: int) -> float:
        """The Bayesian mean of so many ratings with this sum."""
        weight = self.ratings + ratings
        return (self.ratings * self.mean + total) / weight if weight and self.mean else 0.0


@dataclass(frozen=True, slots=True)
class Quality:
    """One content."""

    content_id: str
    title: str
    viewers: int
    completed: int
    ratings: int
    rating_total: int

    @property
    def completion(self) -> float:
        """completed / viewers; 0 without viewers."""
        return self.completed / self.viewers if self.viewers else 0.0

    @property
    def mean_rating(self) -> float:
        """The plain mean; 0 without ratings."""
        return self.rating_total / self.ratings if self.ratings else 0.0
