"""Paired measurements, outside the test suite. `python -m bench` runs them and writes JSON into `bench/results`."""
