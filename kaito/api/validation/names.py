"""DNS names, with Kubernetes' texts."""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def label_problems(name: str) -> list[str]:
    """What keeps `name` from being a DNS label."""
    problems = ["must be no more than 63 characters"] if len(name) > 63 else []
    if not _LABEL.fullmatch(name):
        problems.append("must not contain dots" if _SUBDOMAIN.fullmatch(name) else _LABEL_TEXT)
    return problems


def subdomain_problems(name: str) -> list[str]:
    """What keeps `name` from being a DNS subdomain."""
    problems = ["must be no more than 253 characters"] if len(name) > 253 else []
    if not _SUBDOMAIN.fullmatch(name):
        problems.append(_SUBDOMAIN_TEXT)
    return problems
