"""The one image that every container of our pods runs."""

from __future__ import annotations

from typing import Final

RUNTIME_REPOSITORY: Final = "ghcr.io/kaito-testbed/kaito-runtime"
RUNTIME_VERSION: Final = "0.1.0"
RUNTIME_IMAGE: Final = f"{RUNTIME_REPOSITORY}:{RUNTIME_VERSION}"
"""Image of all containers that the operator writes; `kaito-runtime` is its command."""
