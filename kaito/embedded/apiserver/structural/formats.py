"""String formats that the API server checks in custom resources (k8s.io/kube-openapi/pkg/validation/strfmt)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import date
from typing import Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.structural.cel.library.urls import is_url
from kaito.embedded.apiserver.structural.durations import parse_duration
from kaito.embedded.apiserver.structural.patterns import go_pattern

DATE_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[tT](\d\d):(\d\d):(\d\d)(\.\d+)?([zZ]|[+-]\d\d:\d\d)\Z", re.ASCII)
_LABEL: Final = r"a-zA-Z0-9\p{S}\p{L}"
HOSTNAME: Final = (
    rf"^([{_LABEL}]((-?[{_LABEL}]{{0,62}})?)|([{_LABEL}](([{_LABEL}-]{{0,61}}[{_LABEL}])?)(\.)){{1,}}"
    r"([a-zA-Z\p{L}]){2,63})$"
)
_ATOM: Final = r"[^\s()<>\[\]:;@\\,.\"]+"
_LOCAL: Final = rf"(?:{_ATOM}(?:\.{_ATOM})*|\"(?:[^\"\\]|\\.)+\")"
_MAILBOX: Final = rf"{_LOCAL}@(?:{_ATOM}(?:\.{_ATOM})*|\[[^\[\]\\]+\])"
EMAIL: Final = re.compile(rf"\s*(?:{_MAILBOX}|(?:(?:{_ATOM}|\"[^\"]*\")\s*)*<{_MAILBOX}>)\s*\Z")
MAC: Final = re.compile(
    r"(?i)(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}"
    r"(?:(?:\1[0-9a-f]{2}){2}|(?:\1[0-9a-f]{2}){14})?"
    r"|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}(?:\.[0-9a-f]{4}|(?:\.[0-9a-f]{4}){7})?)\Z"
)
_OCTET: Final = r"(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])"
_HEX: Final = "[0-9a-fA-F]"
PATTERNS: Final = {
    "hexcolor": r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})",
    "rgbcolor": rf"rgb\(\s*{_OCTET}\s*,\s*{_OCTET}\s*,\s*{_OCTET}\s*\)",
    "ssn": r"\d{3}[- ]\d{2}[- ]\d{4}",
    "bsonobjectid": rf"{_HEX}{{24}}",
    "byte": r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})",
    "uuid": rf"{_HEX}{{8}}-?{_HEX}{{4}}-?{_HEX}{{4}}-?{_HEX}{{4}}-?{_HEX}{{12}}",
    "uuid3": rf"{_HEX}{{8}}-?{_HEX}{{4}}-?3{_HEX}{{3}}-?{_HEX}{{4}}-?{_HEX}{{12}}",
    "uuid4": rf"{_HEX}{{8}}-?{_HEX}{{4}}-?4{_HEX}{{3}}-?[89abAB]{_HEX}{{3}}-?{_HEX}{{12}}",
    "uuid5": rf"{_HEX}{{8}}-?{_HEX}{{4}}-?5{_HEX}{{3}}-?[89abAB]{_HEX}{{3}}-?{_HEX}{{12}}",
}


def _ipv4(text: str) -> bool:
    """Go's net.ParseIP on a text with dots, leading zeroes as older versions of it took them."""
    if "." not in text:
        return False
    plain = re.sub(r"(^|[.:])0+(?=\d)", r"\1", text) if ":" not in text else text
    return _is_address(plain)


def _is_address(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _ipv6(text: str) -> bool:
    return ":" in text and _is_address(text)


def _cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    if not _is_address(address):
        return False
    limit = 32 if ipaddress.ip_address(address).version == 4 else 128
    return bool(slash) and bits.isascii() and bits.isdigit() and int(bits) <= limit


def _date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _date_time(text: str) -> bool:
    found = DATE_TIME.match(text)
    if found is None:
        return False
    hour, minute, second = int(found[2]), int(found[3]), int(found[4])
    return _is_day(found[1]) and hour < 24 and minute < 60 and second < 60


def _is_day(text: str) -> bool:
    return _date(text.replace("0000", "0004", 1) if text.startswith("0000") else text)


def _digits(text: str) -> str:
    return re.sub(r"[\s-]+", "", text)


def _isbn10(text: str) -> bool:
    found = _digits(text)
    if re.fullmatch(r"\d{9}[\dX]", found, re.ASCII) is None:
        return False
    return sum((index + 1) * (10 if char == "X" else int(char)) for index, char in enumerate(found)) % 11 == 0


def _isbn13(text: str) -> bool:
    found = _digits(text)
    if re.fullmatch(r"\d{13}", found, re.ASCII) is None:
        return False
    return sum(int(char) * (3 if index % 2 else 1) for index, char in enumerate(found)) % 10 == 0


def _credit_card(text: str) -> bool:
    """A number of some issuer whose check digit (Luhn) is right."""
    found = re.sub(r"[^0-9]+", "", text)
    if CARD.fullmatch(found) is None:
        return False
    total = 0
    for index, char in enumerate(reversed(found)):
        digit = int(char) * (2 if index % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


CARD: Final = re.compile(
    r"4\d{12}(?:\d{3})?|5[1-5]\d{14}|(?:222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|6(?:011|5\d\d)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11}|6[27]\d{14}"
)


def _is_hostname(text: str) -> bool:
    return len(text) <= 255 and go_pattern(HOSTNAME).search(text) is not None


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: bool(compiled.fullmatch(text))


CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "date-time": _date_time,
    "datetime": _date_time,
    "date": _date,
    "duration": lambda text: parse_duration(text) is not None,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "cidr": _cidr,
    "mac": lambda text: bool(MAC.match(text)),
    "uri": is_url,
    "email": lambda text: bool(EMAIL.match(text)),
    "hostname": _is_hostname,
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "creditcard": _credit_card,
    "k8s-short-name": lambda text: not names.label(text),
    "k8s-long-name": lambda text: not names.subdomain(text),
    **{form: _matches(pattern) for form, pattern in PATTERNS.items()},
}


def fits(name: str, text: str) -> bool:
    """Whether `text` has the format; a format that nobody checks (password, unknown ones) always fits."""
    check = CHECKS.get(name)
    return check is None or check(text)
