"""From the processes that hold a device to the workloads of this host, and to whom devices are given."""
