"""Image references, written as docker users write them."""

import re
from dataclasses import dataclass
from typing import Final

from kaito_runtime.errors import UsageFailure

_REPOSITORY: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
DOCKER_HUB: Final = "docker.io"


@dataclass(frozen=True)
class Reference:
    """registry: host with optional port. repository: path in it. tag and digest: a digest wins when pulling."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    @property
    def version(self) -> str:
        """What follows `/manifests/` in the registry's address of the image."""
        return self.digest or self.tag or "latest"


def is_digest(value: object) -> bool:
    """Whether `value` is `sha256:` and 64 hexadecimal digits."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def parse_reference(text: str) -> Reference:
    """Return the reference that `text` is: `name` means `docker.io/library/name:latest`.

    Raises UsageFailure naming the part that is wrong.
    """
    rest, _, digest = text.strip().partition("@")
    first, slash, remainder = rest.partition("/")
    named = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, path = (first, remainder) if named else (DOCKER_HUB, rest)
    path, _, tag = path.partition(":")
    if registry in (DOCKER_HUB, "index.docker.io"):
        registry = DOCKER_HUB
        path = path if "/" in path else f"library/{path}"
    if not _REPOSITORY.fullmatch(path):
        raise UsageFailure(
            f"{text!r} is not an image reference: the repository {path!r} may hold only a-z, 0-9 and ._-/"
        )
    if tag and not _TAG.fullmatch(tag):
        raise UsageFailure(f"{text!r} is not an image reference: {tag!r} is not a tag")
    if digest and not is_digest(digest):
        raise UsageFailure(f"{text!r} is not an image reference: {digest!r} is not a sha256 digest")
    if not re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9a-fA-F:]+\](:[0-9]+)?", registry):
        raise UsageFailure(f"{text!r} is not an image reference: {registry!r} is not a host")
    return Reference(registry, path, tag or (None if digest else "latest"), digest or None)
