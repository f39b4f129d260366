"""Energy per token: what servers count, how counts become deltas, and how they are joined to joules."""
