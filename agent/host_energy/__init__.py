"""Meters of the whole host: processor counters, sensors of the kernel, and the management controller."""
