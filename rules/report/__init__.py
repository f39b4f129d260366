"""What a stretch of time came to: energy, waste, grams, money and tokens, by whom and by what."""
