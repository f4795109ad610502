"""Image references, by the grammar and with the texts of `distribution/reference` (`ParseNormalizedNamed`)."""

from __future__ import annotations

import re

_ALNUM = "[a-z0-9]+"
_COMPONENT = rf"{_ALNUM}(?:(?:[._]|__|[-]+){_ALNUM})*"
_DOMAIN_PART = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?"
_NAME = rf"(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(rf"({_NAME})(?::({_TAG}))?(?:@({_DIGEST}))?")
_IDENTIFIER = re.compile("[a-f0-9]{64}")
_DIGEST_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}
_LONGEST_NAME = 255


class ImageReferenceError(ValueError):
    """Not an image reference; the message is Docker's."""


def check_reference(text: str) -> None:
    """Raise ImageReferenceError unless `text` is an image reference (`alpine`, `host:5000/a/b:tag@sha256:…`)."""
    if _IDENTIFIER.fullmatch(text):
        raise ImageReferenceError(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    domain, remainder = _split_domain(text)
    remote = remainder.partition(":")[0]
    if remote.lower() != remote:
        raise ImageReferenceError(f"invalid reference format: repository name ({remote}) must be lowercase")
    match = _REFERENCE.fullmatch(f"{domain}/{remainder}")
    if match is None:
        raise ImageReferenceError("invalid reference format")
    path = match.group(1).removeprefix(f"{domain}/")
    if len(path) > _LONGEST_NAME:
        raise ImageReferenceError(f"repository name must not be more than {_LONGEST_NAME} characters")
    if match.group(3):
        _check_digest(match.group(3))


def _split_domain(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    named = slash and (any(one in first for one in ".:") or first == "localhost" or first.lower() != first)
    domain, remainder = (first, rest) if named else ("docker.io", text)
    if domain == "index.docker.io":
        domain = "docker.io"
    if domain == "docker.io" and "/" not in remainder:
        remainder = f"library/{remainder}"
    return domain, remainder


def _check_digest(digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    length = _DIGEST_LENGTH.get(algorithm)
    if length is None:
        raise ImageReferenceError("unsupported digest algorithm")
    if len(encoded) != length:
        raise ImageReferenceError("invalid checksum digest length")
    if not re.fullmatch("[a-f0-9]+", encoded):
        raise ImageReferenceError("invalid checksum digest format")
