"""Fetching data files by URL, and models by name, into a directory."""
