"""The one image that every container of our pods runs, and the images of Kaito that the image table also knows."""

from __future__ import annotations

from typing import Final

RUNTIME_REPOSITORY: Final = "ghcr.io/kaito-testbed/kaito-runtime"
RUNTIME_VERSION: Final = "0.1.0"
RUNTIME_IMAGE: Final = f"{RUNTIME_REPOSITORY}:{RUNTIME_VERSION}"
"""Image of all containers that the operator writes; `kaito-runtime` is its command."""

KAITO_REGISTRY: Final = "mcr.microsoft.com/aks/kaito"
KAITO_BASE_TAG: Final = "0.5.0"
KAITO_BASE_IMAGE: Final = f"{KAITO_REGISTRY}/kaito-base:{KAITO_BASE_TAG}"
"""What Kaito 0.12 itself would run; written only by other operators under test."""
