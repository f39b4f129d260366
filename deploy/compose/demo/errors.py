"""Why the demo cannot start or go on."""


class DemoError(Exception):
    """What is wrong, where, and what to do about it."""
