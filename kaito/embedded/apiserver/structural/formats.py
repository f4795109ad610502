"""String formats that the API server checks in custom resources (k8s.io/kube-openapi/pkg/validation/strfmt)."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from kaito.embedded.apiserver.structural.durations import parse_duration

UUID: Final = re.compile(r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\Z")
DATE_TIME: Final = re.compile(r"(?i)^(\d{4})-(\d\d)-(\d\d)[t ](\d\d):(\d\d):(\d\d)(\.\d+)?(z|[+-]\d\d:?\d\d)?\Z")
HOSTNAME: Final = re.compile(
    r"^([a-zA-Z0-9\u00a0-\uffff]([a-zA-Z0-9\u00a0-\uffff-]{0,61}[a-zA-Z0-9\u00a0-\uffff])?)"
    r"(\.[a-zA-Z0-9\u00a0-\uffff]([a-zA-Z0-9\u00a0-\uffff-]{0,61}[a-zA-Z0-9\u00a0-\uffff])?)*\Z"
)
EMAIL: Final = re.compile(r"^[^@\s<>()]+@[^@\s<>()]+\Z")
MAC: Final = re.compile(r"(?i)^([0-9a-f]{2}([:-])[0-9a-f]{2}(\2[0-9a-f]{2}){4}|([0-9a-f]{4}\.){2}[0-9a-f]{4})\Z")
SHORT_NAME: Final = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
LONG_NAME: Final = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
PATTERNS: Final = {
    "hexcolor": r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z",
    "rgbcolor": r"^rgb\(\s*(\d{1,3}%?\s*,\s*){2}\d{1,3}%?\s*\)\Z",
    "ssn": r"^\d{3}[- ]?\d{2}[- ]?\d{4}\Z",
    "bsonobjectid": r"^[0-9a-fA-F]{24}\Z",
    "isbn10": r"^(?:[0-9]{9}X|[0-9]{10})\Z",
    "isbn13": r"^[0-9]{13}\Z",
    "isbn": r"^(?:[0-9]{9}X|[0-9]{10}|[0-9]{13})\Z",
    "creditcard": r"^[0-9][0-9 -]{11,22}[0-9]\Z",
}


def _ip(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return check


def _cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    try:
        limit = 32 if ipaddress.ip_address(address).version == 4 else 128
    except ValueError:
        return False
    return bool(slash) and bits.isdigit() and int(bits) <= limit


def _date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _date_time(text: str) -> bool:
    found = DATE_TIME.match(text)
    if found is None:
        return False
    month, day, hour, minute, second = (int(found[i]) for i in range(2, 7))
    return 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60


def _byte(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _uri(text: str) -> bool:
    """Go's url.ParseRequestURI: absolute, or an absolute path."""
    if not text or any(char.isspace() or ord(char) < 32 for char in text):
        return False
    try:
        return text.startswith("/") or bool(urlsplit(text).scheme)
    except ValueError:
        return False


def _uuid(version: str) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        return bool(UUID.match(text)) and text.replace("-", "")[12] == version

    return check


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: bool(compiled.match(text))


CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "date-time": _date_time,
    "datetime": _date_time,
    "date": _date,
    "byte": _byte,
    "duration": lambda text: parse_duration(text) is not None,
    "ipv4": _ip(4),
    "ipv6": _ip(6),
    "cidr": _cidr,
    "mac": lambda text: bool(MAC.match(text)),
    "uri": _uri,
    "email": lambda text: bool(EMAIL.match(text)),
    "hostname": lambda text: len(text) <= 255 and bool(HOSTNAME.match(text)),
    "uuid": lambda text: bool(UUID.match(text)),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4"),
    "uuid5": _uuid("5"),
    "k8s-short-name": lambda text: bool(SHORT_NAME.match(text)),
    "k8s-long-name": lambda text: len(text) <= 253 and bool(LONG_NAME.match(text)),
    **{name: _matches(pattern) for name, pattern in PATTERNS.items()},
}


def fits(name: str, text: str) -> bool:
    """Whether `text` has the format; a format that nobody checks (password, unknown ones) always fits."""
    check = CHECKS.get(name)
    return check is None or check(text)
