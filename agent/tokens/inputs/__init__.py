"""Token counters of training and batch jobs, which serve no page: files, pushes, logs and TensorBoard."""
