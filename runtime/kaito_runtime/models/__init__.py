"""Models: stand-ins built here, files found or fetched, weights loaded. Importing this package imports no torch."""

from kaito_runtime.models.loading import load
from kaito_runtime.models.resolving import resolve

__all__ = ["load", "resolve"]
