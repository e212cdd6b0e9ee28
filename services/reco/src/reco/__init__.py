"""Recommendations: factors folded from what members do, and answers computed from them live."""
