"""The query parameters of get, list and watch, and what is wrong with them (metav1.ListOptions)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kaito.embedded.apiserver.errors import Cause, StatusError, bad_request, invalid_options
from kaito.embedded.apiserver.routing import is_true
from kaito.embedded.apiserver.selectors import FieldSelector, LabelSelector, parse_field_selector, parse_label_selector

_MATCHES = ("Exact", "NotOlderThan")
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class ListOptions:
    """Parsed options. `resource_version` is kept as text, unread: "" and "0" mean different things."""

    resource_version: str = ""
    match: str = ""
    limit: int = 0
    continue_token: str = ""
    labels: LabelSelector = field(default_factory=LabelSelector)
    fields: FieldSelector = field(default_factory=FieldSelector)
    timeout_seconds: int | None = None
    bookmarks: bool = False
    send_initial_events: bool | None = None

    @property
    def streams(self) -> bool:
        """Whether a watch begins with the present state and says where it ends."""
        return bool(self.send_initial_events) and self.bookmarks


def parse(query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """Raises a 400 for what cannot be read and a 422 for combinations that make no sense.

    `watch`: the query asks for one; the old paths below `/watch/` leave it out and are checked as lists.
    """
    send = query.get("sendInitialEvents")
    timeout, limit = integer(query, "timeoutSeconds"), integer(query, "limit")
    options = ListOptions(
        resource_version=query.get("resourceVersion") or "",
        match=query.get("resourceVersionMatch") or "",
        limit=max(limit or 0, 0),
        continue_token=query.get("continue") or "",
        labels=parse_label_selector(query.get("labelSelector") or ""),
        fields=parse_field_selector(query.get("fieldSelector") or ""),
        timeout_seconds=timeout,
        bookmarks=is_true(query.get("allowWatchBookmarks")),
        send_initial_events=None if send is None else is_true(send),
    )
    if watch and send is None and not options.match and options.resource_version in ("", "0"):
        options = replace(options, send_initial_events=True, match="NotOlderThan")
    causes = _watch_causes(options) if watch else _list_causes(options)
    if causes:
        raise invalid_options("ListOptions", causes)
    return options


def integer(query: Mapping[str, str], name: str) -> int | None:
    """Go's ParseInt. Raises a 400, also for an empty value."""
    text = query.get(name)
    if text is None:
        return None
    if _INTEGER.fullmatch(text) is None:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def parse_version(text: str) -> int:
    """A resourceVersion as a number, 0 for none. Raises ValueError with Go's words."""
    why = ""
    if text and not (text.isascii() and text.isdigit()):
        why = "invalid syntax"
    elif text and int(text) >= 2**64:
        why = "value out of range"
    if why:
        raise ValueError(f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": {why}')
    return int(text or "0")


def version_of_one(text: str) -> int:
    """As parse_version, for a get or a watch, where the real server lets the failure through as it is. Raises a 500."""
    try:
        return parse_version(text)
    except ValueError as problem:
        raise StatusError(500, "", str(problem)) from None


def version_of_list(text: str) -> int:
    """As parse_version, for a list. Raises a 400."""
    try:
        return parse_version(text)
    except ValueError as problem:
        raise bad_request(f"invalid resource version: {problem}") from None


def _forbidden(message: str, place: str = "resourceVersionMatch") -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {message}", place)


def _unsupported(value: str, supported: tuple[str, ...]) -> Cause:
    listed = ", ".join(f'"{word}"' for word in supported)
    message = f'Unsupported value: "{value}": supported values: {listed}'
    return Cause("FieldValueNotSupported", message, "resourceVersionMatch")


def _list_causes(options: ListOptions) -> list[Cause]:
    """ValidateListOptions for a list."""
    causes: list[Cause] = []
    if options.match:
        if not options.resource_version:
            causes.append(_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.continue_token:
            causes.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
        if options.match not in _MATCHES:
            causes.append(_unsupported(options.match, ("Exact", "NotOlderThan", "")))
        if options.match == "Exact" and options.resource_version == "0":
            causes.append(_forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if options.send_initial_events is not None:
        causes.append(_forbidden("sendInitialEvents is forbidden for list", "sendInitialEvents"))
    return causes


def _watch_causes(options: ListOptions) -> list[Cause]:
    """ValidateListOptions for a watch."""
    causes: list[Cause] = []
    if options.send_initial_events is not None and options.match != "NotOlderThan":
        causes.append(_forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
    if options.match:
        if options.send_initial_events is None:
            causes.append(
                _forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
            )
        if options.match != "NotOlderThan":
            causes.append(_unsupported(options.match, ("NotOlderThan",)))
        if options.continue_token:
            causes.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
    return causes
