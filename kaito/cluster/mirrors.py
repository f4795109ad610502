"""The mirror map: which local file, folder or registry stands in for an outside address."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

CONFIG_MAP = "kaito-mirrors"
"""Name of the ConfigMap that gives the map to pods, under the key `mirrors.yaml`."""
KEY = "mirrors.yaml"
MODEL_HUB = "https://huggingface.co/"
"""A model repository's address in the map is this followed by its id and a slash."""
TINY = re.compile(r"tiny:[a-z0-9]+")


class MirrorTargetError(Exception):
    """A file or folder that cannot stand in for `url`: one sentence with both."""

    def __init__(self, path: Path, url: str, what: str) -> None:
        super().__init__(f"{path}, the mirror of {url}, {what}")
        self.url = url


class MirrorMap(BaseModel):
    """URL → file, folder or stand-in; registry host → address.

    The targets are exempt from the rule against private addresses, and only they (DESIGN §4).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    urls: dict[str, str] = Field(default_factory=dict)
    """Keys ending in `/` map a tree, others one URL with any query string; the longest match wins. Values are absolute
    paths, or `tiny:<architecture>` for a stand-in model."""
    registries: dict[str, str] = Field(default_factory=dict)
    """Host globs (`*.azurecr.io`) to base addresses; `{host}` in an address becomes the host asked for."""

    @field_validator("urls")
    @classmethod
    def _check_urls(cls, urls: dict[str, str]) -> dict[str, str]:
        for url in urls:
            try:
                parts = urlsplit(url)
            except ValueError as error:
                raise ValueError(f"{url!r} is not an http or https URL: {error}") from error
            if parts.scheme not in ("http", "https") or not parts.netloc:
                raise ValueError(f"{url!r} is not an http or https URL")
        return urls

    @field_validator("registries")
    @classmethod
    def _check_registries(cls, registries: dict[str, str]) -> dict[str, str]:
        for host, address in registries.items():
            if not address.startswith(("http://", "https://")):
                raise ValueError(f"the address of registry {host!r} must begin with http:// or https://: {address!r}")
        return registries

    def merged_with(self, other: MirrorMap) -> Self:
        """Both maps in one; `other` wins where they name the same address."""
        return self.model_copy(
            update={"urls": {**self.urls, **other.urls}, "registries": {**self.registries, **other.registries}}
        )

    def resolved(self, folder: Path) -> Self:
        """The map with relative paths taken from `folder`; MirrorTargetError when one cannot stand in for its URL."""
        urls = {}
        for url, target in self.urls.items():
            if TINY.fullmatch(target):
                urls[url] = target
                continue
            path = (folder / target).resolve()
            if not path.exists():
                raise MirrorTargetError(path, url, "does not exist")
            if path.is_dir() and not url.endswith("/"):
                raise MirrorTargetError(path, url, "is a folder; name a file in it, or end the URL with a slash")
            if path.is_file() and url.endswith("/"):
                raise MirrorTargetError(path, url, "is a file; leave out the slash at the end of the URL")
            urls[url] = str(path)
        return self.model_copy(update={"urls": urls})

    def to_yaml(self) -> str:
        """The file's text."""
        return yaml.safe_dump(self.model_dump(), sort_keys=True)

    def config_map(self, namespace: str) -> dict[str, Any]:
        """The ConfigMap that carries the map into pods."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG_MAP, "namespace": namespace},
            "data": {KEY: self.to_yaml()},
        }


def model_mirrors(architectures: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Mirror entries for model repositories: pairs of Hugging Face id and architecture to tiny stand-ins."""
    return {f"{MODEL_HUB}{model}/": f"tiny:{architecture}" for model, architecture in architectures}
