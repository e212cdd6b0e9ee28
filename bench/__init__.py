"""Benchmarks: ratios against the bare limit and peers, in one run on the same data; `make bench`."""
