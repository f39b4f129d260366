"""PromQL on floats over a short history: expressions are compiled once and evaluated at one instant at a time."""
