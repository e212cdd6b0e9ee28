"""Recommendations: factors folded from members' actions, and answers computed from them live."""
