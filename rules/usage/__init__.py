"""Who used each device: workloads, how an interval is shared among them, and their books."""
