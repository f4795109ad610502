"""Matching registry hosts against the keys of a docker config, as the kubelet does it."""

from fnmatch import fnmatchcase
from urllib.parse import urlsplit


def split_pattern(pattern: str) -> tuple[str, str, str]:
    """Return (host, port, path) of a pattern such as `*.azurecr.io`, `https://index.docker.io/v1/` or `h:5000/a`."""
    parts = urlsplit(pattern if "://" in pattern else f"https://{pattern}")
    host, _, port = parts.netloc.lower().rpartition(":")
    if not host or not port.isdigit():
        host, port = parts.netloc.lower(), ""
    path = parts.path
    if path.startswith(("/v1", "/v2")):
        path = path[3:]
    return host, port, path.strip("/")


def host_matches(pattern: str, target: str) -> bool:
    """Whether `pattern` covers `target`, a registry host with optional port and repository path.

    The kubelet's rules: as many labels in both, each label matched as a glob of its own (so `*` never spans a dot),
    ports equal, and the pattern's path a prefix of the target's.
    """
    pattern_host, pattern_port, pattern_path = split_pattern(pattern)
    host, port, path = split_pattern(target)
    pattern_labels, labels = pattern_host.split("."), host.split(".")
    return (
        pattern_port == port
        and len(pattern_labels) == len(labels)
        and all(fnmatchcase(label, glob) for glob, label in zip(pattern_labels, labels, strict=True))
        and path.startswith(pattern_path)
    )
