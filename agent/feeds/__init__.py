"""Where carbon intensity, prices, metered energy and PUE come from: one file a provider."""
