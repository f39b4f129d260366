"""Token counters of what runs on the GPUs: servers found or configured, their pages, and inputs of jobs without."""
