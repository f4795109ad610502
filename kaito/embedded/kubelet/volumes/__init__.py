"""Volumes of pods as folders and symlinks: nothing needs rights that a user has not."""
