"""Runs scenario files under pytest."""
