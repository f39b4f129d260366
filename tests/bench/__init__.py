"""Benchmarks: `python -m tests.bench` prints the budgets as ratios to a peer in the same run."""
