"""The commands that need more than a line: each module is one of them."""
