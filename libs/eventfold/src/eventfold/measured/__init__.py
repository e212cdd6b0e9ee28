"""Faster versions of operations that run once for every event or value. Each stands beside its plain version, or names
it, and tests check that both agree; `docs/benchmarks.md` gives the gains. All other code is written plainly."""
