"""Who supplied the load, hour by hour and each joule once: generation, storage, lines, contracts, certificates."""
