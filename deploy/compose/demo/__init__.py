"""The demo in one command: `python -m deploy.compose.demo`, which `make demo` runs. Nothing here is in the wheel."""
