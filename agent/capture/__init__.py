"""Captures: samples of a source kept in a file, to be read again by people, tests and `--source replay:FILE`."""
