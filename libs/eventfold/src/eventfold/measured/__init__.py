"""Faster forms of what is made once for every event or value. Each stands beside its plain form, or names it, and the
tests hold that both agree; `docs/benchmarks.md` tells what they are worth. Whatever is not here is written plainly."""
