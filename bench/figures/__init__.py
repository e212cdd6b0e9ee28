"""metrics measured: how fast its facts are folded, and how long its answers take; `python -m bench.figures`."""
