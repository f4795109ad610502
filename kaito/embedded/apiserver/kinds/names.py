"""Names, labels and qualified names as Kubernetes checks them (k8s.io/apimachinery/pkg/util/validation).

Each function returns the complaints about one value, in the server's words; none means that it is well formed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final

LABEL_SHAPE: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN_SHAPE: Final = rf"{LABEL_SHAPE}(\.{LABEL_SHAPE})*"
LABEL_1035_SHAPE: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
QUALIFIED_SHAPE: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
VALUE_SHAPE: Final = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
CONFIG_KEY_SHAPE: Final = "[-._a-zA-Z0-9]+"
HEADER_SHAPE: Final = "[-A-Za-z0-9]+"
SEARCH_SHAPE: Final = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*"
PERCENT_SHAPE: Final = "[0-9]+%"
LABEL: Final = re.compile(LABEL_SHAPE)
SUBDOMAIN: Final = re.compile(SUBDOMAIN_SHAPE)
LABEL_1035: Final = re.compile(LABEL_1035_SHAPE)
QUALIFIED: Final = re.compile(QUALIFIED_SHAPE)
VALUE: Final = re.compile(VALUE_SHAPE)
CONFIG_KEY: Final = re.compile(CONFIG_KEY_SHAPE)
HEADER: Final = re.compile(HEADER_SHAPE)
SEARCH: Final = re.compile(SEARCH_SHAPE)
ENVIRONMENT: Final = re.compile(r"[ -<>-~]+")
ENVIRONMENT_MESSAGE: Final = (
    "a valid environment variable name must consist only of printable ASCII characters other than '='"
)
SUBDOMAIN_MESSAGE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN_SHAPE}')"
)
LABEL_MESSAGE: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL_SHAPE}')"
)
LABEL_1035_MESSAGE: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    f"'{LABEL_1035_SHAPE}')"
)
_QUALIFIED_TAIL: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{QUALIFIED_SHAPE}')"
)
VALUE_MESSAGE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{VALUE_SHAPE}')"
)
CONFIG_KEY_MESSAGE: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME', "
    f" or 'key-name', regex used for validation is '{CONFIG_KEY_SHAPE}')"
)
HEADER_MESSAGE: Final = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
    f"validation is '{HEADER_SHAPE}')"
)
SEARCH_MESSAGE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must "
    f"start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SEARCH_SHAPE}')"
)
PERCENT_MESSAGE: Final = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    f"validation is '{PERCENT_SHAPE}')"
)
WILDCARD_SHAPE: Final = rf"\*\.{SUBDOMAIN_SHAPE}"
WILDCARD_MESSAGE: Final = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
    f"regex used for validation is '{WILDCARD_SHAPE}')"
)
IP_MESSAGE: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
CIDR_MESSAGE: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
PORT_MESSAGE: Final = "must be between 1 and 65535, inclusive"
NOT_NEGATIVE: Final = "must be greater than or equal to 0"
IMMUTABLE: Final = "field is immutable"

Check = Callable[[str], list[str]]


def at_most(limit: int) -> str:
    return f"must be no more than {limit} characters"


def subdomain(value: str) -> list[str]:
    return _length(value, 253) + ([] if SUBDOMAIN.fullmatch(value) else [SUBDOMAIN_MESSAGE])


def wildcard(value: str) -> list[str]:
    """A subdomain whose first label is an asterisk."""
    return _length(value, 253) + ([] if re.fullmatch(WILDCARD_SHAPE, value) else [WILDCARD_MESSAGE])


def label(value: str) -> list[str]:
    return _length(value, 63) + ([] if LABEL.fullmatch(value) else [LABEL_MESSAGE])


def label_1035(value: str) -> list[str]:
    return _length(value, 63) + ([] if LABEL_1035.fullmatch(value) else [LABEL_1035_MESSAGE])


def path_segment(value: str) -> list[str]:
    """Names of RBAC objects: anything that fits between two slashes of a URL."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in ("/", "%") if char in value]


def qualified_name(value: str) -> list[str]:
    """`[prefix/]name` of labels, annotations, finalizers, taints, conditions."""
    parts = value.split("/")
    if len(parts) > 2:
        return [f"a qualified name {_QUALIFIED_TAIL} with an optional DNS subdomain prefix and '/' (e.g. "
                "'example.com/MyName')"]  # fmt: skip
    complaints = []
    if len(parts) == 2:
        prefix = parts[0]
        if not prefix:
            complaints.append("prefix part must be non-empty")
        else:
            complaints += [f"prefix part {message}" for message in subdomain(prefix)]
    name = parts[-1]
    if not name:
        complaints.append("name part must be non-empty")
    elif len(name) > 63:
        complaints.append(f"name part {at_most(63)}")
    if not QUALIFIED.fullmatch(name):
        complaints.append(f"name part {_QUALIFIED_TAIL}")
    return complaints


def label_value(value: str) -> list[str]:
    return _length(value, 63) + ([] if VALUE.fullmatch(value) else [VALUE_MESSAGE])


def config_key(value: str) -> list[str]:
    complaints = _length(value, 253)
    if not CONFIG_KEY.fullmatch(value):
        complaints.append(CONFIG_KEY_MESSAGE)
    elif value == ".":
        complaints.append("must not be '.'")
    elif value == "..":
        complaints.append("must not be '..'")
    elif value.startswith(".."):
        complaints.append("must not start with '..'")
    return complaints


def header(value: str) -> list[str]:
    return [] if HEADER.fullmatch(value) else [HEADER_MESSAGE]


def environment_name(value: str) -> list[str]:
    return [] if ENVIRONMENT.fullmatch(value) else [ENVIRONMENT_MESSAGE]


def port_name(value: str) -> list[str]:
    complaints = _length(value, 15)
    if not re.fullmatch("[-a-z0-9]+", value):
        complaints.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        complaints.append("must contain at least one letter (a-z)")
    if "--" in value:
        complaints.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        complaints.append("must not begin or end with a hyphen")
    return complaints


def port_number(value: int) -> list[str]:
    return [] if 1 <= value <= 65535 else [PORT_MESSAGE]


def ip_address(value: str) -> list[str]:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return [IP_MESSAGE]
    return []


def cidr(value: str) -> list[str]:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return [CIDR_MESSAGE]
    return [] if "/" in value else [CIDR_MESSAGE]


def search_domain(value: str) -> list[str]:
    return _length(value, 253) + ([] if SEARCH.fullmatch(value) else [SEARCH_MESSAGE])


def _length(value: str, limit: int) -> list[str]:
    return [at_most(limit)] if len(value) > limit else []
