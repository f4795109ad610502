"""Containers as local processes: starting, watching, ending and recognising them."""
