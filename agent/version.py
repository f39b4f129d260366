"""The version of the product; importlib.metadata knows it too, but costs the daemon 2 MB."""

__version__ = "0.1.0"
