"""Files that clusters mirror."""
