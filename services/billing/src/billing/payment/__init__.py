"""How money comes: payments through providers outside, their reports, and asking after what stays open."""
