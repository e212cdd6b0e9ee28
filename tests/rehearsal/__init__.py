"""`make rehearse-upgrade`: an older and the present version side by side under load, on one machine.

Given the older version running everything, when each process is replaced by the present version, one after the other
and in the order in which a platform does it, and everything is restarted once more, then no request fails, nothing is
lost and nothing is doubled.
"""
