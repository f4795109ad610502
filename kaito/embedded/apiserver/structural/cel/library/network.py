"""Kubernetes' IP and CIDR libraries (k8s.io/apiserver/pkg/cel/library/ip.go and cidr.go, over net/netip)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar

from kaito.embedded.apiserver.structural.cel.errors import NO_SUCH_OVERLOAD, EvaluationError

T = TypeVar("T")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class IP:
    type_name: ClassVar[str] = "net.IP"
    address: Address

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class CIDR:
    type_name: ClassVar[str] = "net.CIDR"
    address: Address
    bits: int

    def __str__(self) -> str:
        return f"{self.address}/{self.bits}"

    def masked(self) -> CIDR:
        shift = self.address.max_prefixlen - self.bits
        return CIDR(type(self.address)(int(self.address) >> shift << shift), self.bits)

    def covers(self, address: Address) -> bool:
        if address.version != self.address.version:
            return False
        shift = self.address.max_prefixlen - self.bits
        return int(self.address) >> shift == int(address) >> shift


def _address(text: str) -> Address:
    try:
        if "%" in text or "/" in text:
            raise ValueError
        return ipaddress.ip_address(text)
    except ValueError:
        raise EvaluationError(f'ParseAddr("{text}"): {_fault(text)}') from None


def _fault(text: str) -> str:
    """Why netip.ParseAddr refuses a text."""
    if "%" not in text and re.fullmatch(r"[0-9.]+", text, re.ASCII) and "." in text:
        return _fault_of_four(text)
    for char in text:
        if char in ".:%":
            break
    else:
        return "unable to parse IP"
    if char == "%":
        return "missing IPv6 address"
    return _fault_of_four(text) if char == "." else f'each group must have 4 or less digits (at "{text}")'


def _fault_of_four(text: str) -> str:
    parts = text.split(".")
    for part in parts:
        if part and not part.isdigit():
            bad = next(index for index, char in enumerate(text) if not (char.isdigit() or char == "."))
            return f'unexpected character (at "{text[bad:]}")'
        if part.isdigit() and int(part) > 255:
            return "IPv4 field has value >255"
        if len(part) > 1 and part.startswith("0"):
            return "IPv4 field has octet with leading zero"
    if len(parts) > 4:
        return "IPv4 address too long"
    return "IPv4 address too short"


def _ip(value: str | CIDR) -> IP:
    if isinstance(value, CIDR):
        return IP(value.address)
    try:
        address = _address(value)
    except EvaluationError as problem:
        raise EvaluationError(f'IP Address "{value}" parse error during conversion from string: {problem}') from None
    return IP(_plain(address, f'IPv4-mapped IPv6 address "{value}" is not allowed'))


def _plain(address: Address, message: str) -> Address:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(message)
    return address


_MISREAD: Final = "network address parse error during conversion from string: "


def _cidr(text: str) -> CIDR:
    try:
        return _prefix(text)
    except EvaluationError as problem:
        raise EvaluationError(f"{_MISREAD * 2}{problem}") from None


def _prefix(text: str) -> CIDR:
    head, slash, tail = text.rpartition("/")
    where = f'netip.ParsePrefix("{text}"): '
    if not slash:
        raise EvaluationError(f"{where}no '/'")
    try:
        address = _address(head)
    except EvaluationError as problem:
        raise EvaluationError(f"{where}{problem}") from None
    if len(tail) > 1 and not "1" <= tail[0] <= "9":
        raise EvaluationError(f'{where}bad bits after slash: "{tail}"')
    if not tail.isascii() or not tail.isdigit():
        raise EvaluationError(f'{where}bad bits after slash: "{tail}"')
    if int(tail) > address.max_prefixlen:
        raise EvaluationError(f"{where}prefix length out of range")
    return CIDR(_plain(address, f'IPv4-mapped IPv6 address "{head}" is not allowed'), int(tail))


def _holds(function: Callable[[str], Any]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            function(text)
        except EvaluationError:
            return False
        return True

    return check


def _is_canonical(text: str) -> bool:
    return str(_ip(text)) == text


def _contains_ip(network: CIDR, wanted: str | IP) -> bool:
    return network.covers(_given(_ip, wanted).address)


def _given(read: Callable[[str], T], wanted: str | T) -> T:
    """An argument that may be a text; one that cannot be read counts as one of a wrong type."""
    if not isinstance(wanted, str):
        return wanted
    try:
        return read(wanted)
    except EvaluationError:
        raise EvaluationError(NO_SUCH_OVERLOAD) from None


def _contains_cidr(network: CIDR, wanted: str | CIDR) -> bool:
    inner = _given(_cidr, wanted)
    return inner.bits >= network.bits and network.covers(inner.masked().address)


def _is_link_local_multicast(value: IP) -> bool:
    if value.address.version == 4:
        return int(value.address) >> 8 == 0xE00000
    return int(value.address) >> 112 & 0xFF0F == 0xFF02


def _is_link_local_unicast(value: IP) -> bool:
    return value.address.is_link_local


def _is_global_unicast(value: IP) -> bool:
    address = value.address
    if isinstance(address, ipaddress.IPv4Address) and (int(address) in (0, 2**32 - 1)):
        return False
    return not (address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local)


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "ip": _ip,
    "isIP": _holds(_ip),
    "ip.isCanonical": _is_canonical,
    "family": lambda value: value.address.version,
    "isUnspecified": lambda value: value.address.is_unspecified,
    "isLoopback": lambda value: value.address.is_loopback,
    "isLinkLocalMulticast": _is_link_local_multicast,
    "isLinkLocalUnicast": _is_link_local_unicast,
    "isGlobalUnicast": _is_global_unicast,
    "cidr": _cidr,
    "isCIDR": _holds(_cidr),
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "masked": lambda network: network.masked(),
    "prefixLength": lambda network: network.bits,
}
