"""Addresses of training data. The rule keeps a Workspace from making the cluster fetch from inside itself.

It looks at the text only, as Kaito does: other spellings of a private address (`127.1`, `0.0.0.0`) pass here and are
the downloader's to refuse.
"""

from __future__ import annotations

import ipaddress
import re

from kaito.api.validation.fielderrors import NONE, FieldErrors, invalid

_LOCAL_HOSTS = frozenset({"localhost", "metadata.google.internal", "metadata.google", "instance-data.ec2.internal"})
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):(.*)", re.DOTALL)
_HOST_PORT = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::([0-9]*))?")
_BAD_HOST_CHARACTER = re.compile(r"[ \"<>^`{|}\\]")


def check_data_url(url: str) -> FieldErrors:
    """Findings about one data source address."""
    parsed = _parse(url)
    if parsed is None:
        return invalid("invalid data source URL", "URLs")
    scheme, name = parsed
    if scheme not in {"http", "https"}:
        return invalid("data source URL must use HTTP or HTTPS", "URLs")
    name = name.lower()
    if name in _LOCAL_HOSTS or name.endswith(".localhost"):
        return invalid("data source URL must not target a local or metadata endpoint", "URLs")
    if _is_inside(name.partition("%")[0]):
        return invalid("data source URL must not target a loopback, private, or link-local address", "URLs")
    return NONE


def _parse(url: str) -> tuple[str, str] | None:
    """(scheme, host name without port) as Go's `url.Parse` sees them; None where it fails or there is no host."""
    if any(ord(one) < 0x20 or ord(one) == 0x7F for one in url):
        return None
    url = url.partition("#")[0]
    scheme, rest = "", url
    match = _SCHEME.fullmatch(url)
    if match is not None:
        scheme, rest = match.group(1).lower(), match.group(2)
    elif url.startswith(":") or (":" in url.partition("/")[0] and not url.startswith("/")):
        return None
    if not rest.startswith("//"):
        return None
    authority = re.split(r"[/?]", rest[2:], maxsplit=1)[0]
    path = rest[2 + len(authority) :].partition("?")[0]
    if re.search(r"%(?![0-9a-fA-F]{2})", path):
        return None
    host = authority.rpartition("@")[2]
    found = _HOST_PORT.fullmatch(host)
    if found is None or not host:
        return None
    bracketed, plain, _port = found.groups()
    name = bracketed if bracketed is not None else plain
    if bracketed is None and (_BAD_HOST_CHARACTER.search(name) or re.search(r"%(?![0-9a-fA-F]{2})", name)):
        return None
    return scheme, name.replace("%25", "%")


def _is_inside(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    private = (
        mapped in ipaddress.ip_network("fc00::/7")
        if mapped.version == 6
        else any(mapped in ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
    )
    if mapped.version == 6:
        link_local_multicast = mapped.is_multicast and (mapped.packed[1] & 0x0F) == 2
    else:
        link_local_multicast = mapped in ipaddress.ip_network("224.0.0.0/24")
    return mapped.is_loopback or private or mapped.is_link_local or link_local_multicast
