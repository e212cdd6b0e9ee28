"""Benchmarks: ratios to the bare limit and to peers, in one run on the same data; `make bench`."""
