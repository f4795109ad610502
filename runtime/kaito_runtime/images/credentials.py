"""Registry credentials from docker configurations, chosen for an image as the kubelet chooses them."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kaito_runtime.errors import BadConfig
from kaito_runtime.hostglob import host_matches
from kaito_runtime.images.credential_helpers import ask_helper
from kaito_runtime.images.references import DOCKER_HUB, Reference

_HUB_KEY: Final = "https://index.docker.io/v1/"
"""Docker Hub's name in docker configurations, and for helpers."""


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

    In each file: the helper that `credHelpers` names for the registry, then the entries of `auths`, then `credsStore`.
    Keys match as in the kubelet: by host glob and path prefix, in reverse alphabetical order, so longer paths come
    before shorter ones. Raises BadConfig for a file that is not a docker configuration.
    """
    found: list[Credential] = []
    for path in files:
        document = _read(path)
        for credential in (
            *_from_helpers(document.get("credHelpers"), reference, path),
            *_from_entries(document.get("auths", document), reference, path),
            *_from_helpers({reference.registry: document.get("credsStore")}, reference, path),
        ):
            if credential not in found:
                found.append(credential)
    return found


def _from_entries(entries: Any, reference: Reference, path: Path) -> Iterator[Credential]:
    if not isinstance(entries, dict):
        raise BadConfig(f"the docker configuration {path} has no auths")
    for key in sorted(entries, reverse=True):
        if _fits(key, reference) and isinstance(entries[key], dict):
            credential = _credential(entries[key], f"{path} ({key})")
            if credential:
                yield credential


def _from_helpers(helpers: Any, reference: Reference, path: Path) -> Iterator[Credential]:
    for key, name in helpers.items() if isinstance(helpers, dict) else ():
        if isinstance(name, str) and name and _fits(key, reference):
            server = _HUB_KEY if reference.registry == DOCKER_HUB else reference.registry
            answer = ask_helper(name, server)
            if answer is not None:
                user, secret = answer
                source = f"{path} (helper {name})"
                token = secret if user == "<token>" else None
                yield Credential("" if token else user, "" if token else secret, source, token)


def _fits(key: str, reference: Reference) -> bool:
    target = f"{reference.registry}/{reference.repository}"
    return host_matches(key, target) or (reference.registry == DOCKER_HUB and _is_docker_hub(key))


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
    if not isinstance(document, dict):
        raise BadConfig(f"the docker configuration {path} has no auths")
    return document


def _credential(entry: Mapping[str, Any], source: str) -> Credential | None:
    username, password = entry.get("username"), entry.get("password")
    if not username and isinstance(entry.get("auth"), str):
        try:
            username, _, password = base64.b64decode(entry["auth"].strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise BadConfig(f"the docker configuration {source}: auth is not base64 of user:password") from None
    token = entry.get("identitytoken") or None
    if not username and not token:
        return None
    return Credential(str(username or ""), str(password or ""), source, token)
