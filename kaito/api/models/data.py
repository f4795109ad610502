"""Where data comes from and goes to: datasets, adapters, tuned adapters."""

from __future__ import annotations

from typing import Any

from kaito.api.models.base import ApiModel, crd, preserve_unknown


class DataSource(ApiModel):
    """Data to read: exactly one of urls, volumeSource or image."""

    name: str | None = crd()
    """Name of the dataset or adapter; also used as a container name."""
    urls: list[str] | None = crd()
    """Public http(s) addresses of the files."""
    volume_source: Any = preserve_unknown()
    """A `core/v1` VolumeSource that holds the data."""
    image: str | None = crd()
    """Image whose layers hold the data in the folder `data`."""
    image_pull_secrets: list[str] | None = crd()
    """Secrets in the same namespace for pulling the image."""


class DataDestination(ApiModel):
    """Data to write: exactly one of volumeSource or image."""

    volume_source: Any = preserve_unknown()
    """A `core/v1` VolumeSource to write to."""
    image: str | None = crd()
    """Image to push the result to."""
    image_push_secret: str | None = crd()
    """Secret in the same namespace for pushing the image."""


class AdapterSpec(ApiModel):
    """An adapter that is loaded beside the base model."""

    source: DataSource | None = crd()
    """Where the adapter's files are."""
    strength: str | None = crd()
    """Multiplier for the adapter's weights, a decimal number in a string, 0 to 1."""
