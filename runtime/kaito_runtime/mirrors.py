"""The mirror map: where outside addresses really lead in this installation.

```yaml
urls:                       # longest prefix wins; a prefix that ends in "/" maps a tree, otherwise exactly that URL
  https://huggingface.co/datasets/x/resolve/main/train.parquet: /data/train.parquet
  https://huggingface.co/microsoft/Phi-3-mini-128k-instruct/: tiny:phi3
registries:                 # host glob -> base address, {host} stands for the host that was asked for
  "*.azurecr.io": http://127.0.0.1:5001/{host}
```

The file is named by `KAITO_MIRRORS`; without it nothing is mirrored.
"""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from kaito_runtime.errors import BadConfig
from kaito_runtime.hostglob import host_matches
from kaito_runtime.paths import locate
from kaito_runtime.yamlfiles import parse_yaml

VARIABLE: Final = "KAITO_MIRRORS"
HUB: Final = "https://huggingface.co/"
_KEYS: Final = ("urls", "registries")


@dataclass(frozen=True)
class Target:
    """Where a mirrored URL leads.

    address: an http(s) URL, an absolute path, or `tiny:<architecture>`. rest: what followed a tree's prefix, without
    query string; empty for an exact match.
    """

    address: str
    rest: str = ""

    @property
    def joined(self) -> str:
        """The address of the one file that was asked for."""
        return f"{self.address.rstrip('/')}/{self.rest}" if self.rest else self.address


@dataclass(frozen=True)
class MirrorMap:
    """urls: prefix to address; registries: host glob to base address."""

    urls: Mapping[str, str] = field(default_factory=dict)
    registries: Mapping[str, str] = field(default_factory=dict)

    def find(self, url: str) -> Target | None:
        """Return where `url` leads, or None; the longest prefix wins, and query and fragment do not count."""
        plain = _normal(url)
        for prefix in sorted(self.urls, key=len, reverse=True):
            wanted = _normal(prefix)
            if prefix.endswith("/") and plain.startswith(wanted):
                return Target(self.urls[prefix], unquote(plain[len(wanted) :]))
            if plain == wanted:
                return Target(self.urls[prefix])
        return None

    def find_repository(self, name: str) -> str | None:
        """Return where the hub's repository `owner/name` leads as a whole, or None."""
        target = self.find(f"{HUB}{name}/")
        return target.joined if target else None

    def registry_base(self, host: str) -> str | None:
        """Return the base address (scheme, host, path without a final slash) that stands in for registry `host`.

        The most specific pattern wins: an exact host before a glob, a longer glob before a shorter one.
        """
        for pattern in sorted(self.registries, key=lambda key: ("*" in key, -len(key))):
            if host_matches(pattern, host):
                return self.registries[pattern].replace("{host}", host).rstrip("/")
        return None


def _normal(url: str) -> str:
    """Return scheme and host in lower case, then the path: what two spellings of one address share."""
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path}"


def load_mirrors(environment: Mapping[str, str] = os.environ) -> MirrorMap:
    """Return the mirror map that the environment names; an empty one when it names none.

    Raises BadConfig naming file and key for anything that is not a mirror map.
    """
    named = environment.get(VARIABLE)
    if not named:
        return MirrorMap()
    path = locate(named, environment)
    try:
        return parse_mirrors(path.read_text(encoding="utf-8"), source=str(path))
    except OSError as error:
        raise BadConfig(f"the mirror map {path} (from {VARIABLE}) cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadConfig(f"the mirror map {path} (from {VARIABLE}) is not UTF-8 text") from error


def parse_mirrors(text: str, *, source: str) -> MirrorMap:
    """Read a mirror map; `source` names it in messages."""
    document = parse_yaml(text, source=source)
    if document is None:
        return MirrorMap()
    if not isinstance(document, dict):
        raise BadConfig(f"{source}: the mirror map must be a mapping with the keys urls and registries")
    for key in document:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; known keys are urls and registries"
            raise BadConfig(f"{source}: unknown key {key!r} in the mirror map{hint}")
    urls = _strings(document.get("urls"), f"{source}: urls")
    for prefix, address in urls.items():
        if urlsplit(prefix).scheme.lower() not in ("http", "https"):
            raise BadConfig(f"{source}: urls: {prefix!r} is not an http(s) address")
        if not (address.startswith(("/", "tiny:")) or urlsplit(address).scheme in ("http", "https")):
            raise BadConfig(
                f"{source}: urls: {prefix}: {address!r} is no absolute path, tiny:<architecture> or http(s) URL"
            )
    registries = _strings(document.get("registries"), f"{source}: registries")
    for pattern, address in registries.items():
        if urlsplit(address).scheme not in ("http", "https"):
            raise BadConfig(f"{source}: registries: {pattern}: {address!r} is not an http(s) address")
    return MirrorMap(urls, registries)


def _strings(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadConfig(f"{where} must be a mapping")
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str) or not item:
            raise BadConfig(f"{where}: {key}: must map text to text")
    return dict(value)


def mirrored_path(address: str) -> Path | None:
    """Return the local path that a mirror's address means, or None when it is a URL or a stand-in.

    Mirror targets are paths of the host, exempt from the container's root, unless they exist only beneath it.
    """
    if not address.startswith("/"):
        return None
    beneath = locate(address)
    return beneath if beneath.exists() and not Path(address).exists() else Path(address)
