"""Energy of the whole node by its meters, and the losses from the node to the meter of the house."""
