"""The rules of this host at work: what they look back on, when they are evaluated, and who hears of it."""
