"""Registry credentials from docker configurations, chosen for an image as the kubelet chooses them."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaito_runtime.errors import BadConfig
from kaito_runtime.hostglob import host_matches
from kaito_runtime.images.references import DOCKER_HUB, Reference


@dataclass(frozen=True)
class Credential:
    """A user's name and password, or an identity token; never shown, not even by `repr`.

    source: the file and key it comes from, for messages.
    """

    username: str = field(repr=False)
    password: str = field(repr=False)
    source: str
    identity_token: str | None = field(default=None, repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def config_files(folder: Path) -> list[Path]:
    """Return the docker configurations in `folder`: config.json and, one for each secret, config.d/*/*.json."""
    main = folder / "config.json"
    return [*([main] if main.is_file() else []), *sorted(folder.glob("config.d/*/*.json"))]


def find_credentials(reference: Reference, files: list[Path]) -> list[Credential]:
    """Return the credentials for `reference` in `files`, the best first.

    Keys match as in the kubelet: by host glob and path prefix, in reverse alphabetical order within a file, so longer
    paths come before shorter ones. Raises BadConfig for a file that is not a docker configuration.
    """
    target = f"{reference.registry}/{reference.repository}"
    found: list[Credential] = []
    for path in files:
        entries = _read(path)
        for key in sorted(entries, reverse=True):
            if host_matches(key, target) or (reference.registry == DOCKER_HUB and _is_docker_hub(key)):
                credential = _credential(entries[key], f"{path} ({key})")
                if credential and credential not in found:
                    found.append(credential)
    return found


def _is_docker_hub(key: str) -> bool:
    return "index.docker.io" in key or key in ("docker.io", "https://docker.io", "registry-1.docker.io")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"the docker configuration {path} cannot be read") from error
    except ValueError:
        # The cause would quote the file, which holds passwords.
        raise BadConfig(f"the docker configuration {path} is not JSON") from None
    entries = document.get("auths", document) if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        raise BadConfig(f"the docker configuration {path} has no auths")
    return {key: value for key, value in entries.items() if isinstance(value, dict)}


def _credential(entry: Mapping[str, Any], source: str) -> Credential | None:
    username, password = entry.get("username"), entry.get("password")
    if not username and isinstance(entry.get("auth"), str):
        try:
            username, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise BadConfig(f"the docker configuration {source}: auth is not base64 of user:password") from None
    token = entry.get("identitytoken") or None
    if not username and not token:
        return None
    return Credential(str(username or ""), str(password or ""), source, token)
