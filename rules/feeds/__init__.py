"""Values that hold for a time: carbon intensity, price, metered energy, PUE; where they come from is the agent's."""
