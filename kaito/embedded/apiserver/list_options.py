"""The query parameters of get, list and watch, and what is wrong with them (metav1.ListOptions)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kaito.embedded.apiserver.errors import Cause, StatusError, bad_request, invalid_options
from kaito.embedded.apiserver.routing import is_true

_MATCHES = ("Exact", "NotOlderThan")


@dataclass(frozen=True)
class ListOptions:
    """Parsed options. `resource_version` is kept as text: "" and "0" mean different things."""

    resource_version: str = ""
    match: str = ""
    limit: int = 0
    continue_token: str = ""
    label_selector: str = ""
    field_selector: str = ""
    timeout_seconds: int | None = None
    bookmarks: bool = False
    send_initial_events: bool | None = None

    @property
    def revision(self) -> int:
        """The resourceVersion as a number, 0 for none."""
        return int(self.resource_version or "0")


def _integer(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        number = int(text) if text.lstrip("+-").isascii() and text.lstrip("+-").isdigit() else None
    except ValueError:
        number = None
    if number is None:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if not -(2**63) <= number < 2**63:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def parse(query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """Raises a 400 for what cannot be read and a 422 for combinations that make no sense."""
    send = query.get("sendInitialEvents")
    options = ListOptions(
        resource_version=query.get("resourceVersion") or "",
        match=query.get("resourceVersionMatch") or "",
        limit=max(_integer(query, "limit") or 0, 0),
        continue_token=query.get("continue") or "",
        label_selector=query.get("labelSelector") or "",
        field_selector=query.get("fieldSelector") or "",
        timeout_seconds=_integer(query, "timeoutSeconds"),
        bookmarks=is_true(query.get("allowWatchBookmarks")),
        send_initial_events=None if send is None else is_true(send),
    )
    causes = _watch_causes(options) if watch else _list_causes(options)
    if causes:
        raise invalid_options("ListOptions", causes)
    _check_version(options.resource_version, watch=watch)
    return options


def parse_version(text: str) -> int:
    """A resourceVersion given to a get. Raises a 400."""
    _check_version(text, watch=False)
    return int(text or "0")


def _check_version(text: str, *, watch: bool) -> None:
    if text and not (text.isascii() and text.isdigit()):
        problem = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        if watch:  # the real server lets this one through as an internal error without a reason
            raise StatusError(500, "", problem)
        raise bad_request(f"invalid resource version: {problem}")
    if text and int(text) >= 2**64:
        raise bad_request(
            f'invalid resource version: resourceVersion: Invalid value: "{text}": '
            f'strconv.ParseUint: parsing "{text}": value out of range'
        )


def _forbidden(message: str, field: str = "resourceVersionMatch") -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {message}", field)


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
