"""The errors the API server answers with, in the wording of k8s.io/apimachinery/pkg/api/errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class GroupResource(NamedTuple):
    """A resource (or kind) with its group; prints as "plural.group", or "plural" for the core group."""

    group: str
    name: str

    def __str__(self) -> str:
        return f"{self.name}.{self.group}" if self.group else self.name


class StatusError(Exception):
    """An answer of kind Status. `code` is the HTTP status; `headers` go out with it."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    def status(self) -> dict[str, Any]:
        """The Status object."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = dict(self.details)
        return {**body, "code": self.code}


class PlainError(Exception):
    """An answer in plain text, as the parts of the real server outside the API machinery give it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def _details(gr: GroupResource, name: str = "", **more: Any) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name, "group": gr.group, "kind": gr.name}
    return {key: value for key, value in (details | more).items() if value or key == "causes"}


def not_found(gr: GroupResource, name: str) -> StatusError:
    return StatusError(404, "NotFound", f'{gr} "{name}" not found', _details(gr, name))


def page_not_found() -> PlainError:
    return PlainError(404, "404 page not found\n")


def already_exists(gr: GroupResource, name: str) -> StatusError:
    return StatusError(409, "AlreadyExists", f'{gr} "{name}" already exists', _details(gr, name))


def name_generation_failed(gr: GroupResource, name: str) -> StatusError:
    """Eight generated names were all taken (AlreadyExists with a hint, as the generic registry answers)."""
    message = f'{gr} "{name}" already exists, the server was not able to generate a unique name for the object'
    details = _details(gr, name, retryAfterSeconds=1)
    return StatusError(409, "AlreadyExists", message, details, {"Retry-After": "1"})


def conflict(gr: GroupResource, name: str, why: str) -> StatusError:
    message = f'Operation cannot be fulfilled on {gr} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(gr, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def forbidden(gr: GroupResource, name: str, why: str) -> StatusError:
    subject = f'{gr} "{name}"' if name else str(gr)
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {why}", _details(gr, name))


def invalid(kind: GroupResource, name: str, causes: Sequence[Any]) -> StatusError:
    """422. `causes` have `.reason` (FieldValueInvalid, ...), `.message` and `.field`."""
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    message = f'{kind} "{name}" is invalid'
    if texts:
        message += ": " + (texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")
    listed = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    details = _details(kind, name)
    if listed:
        details["causes"] = listed
    return StatusError(422, "Invalid", message, details)


class Cause(NamedTuple):
    """A field that is wrong: reason (FieldValueInvalid, FieldValueRequired, ...), message and path."""

    reason: str
    message: str
    field: str


def invalid_options(kind: str, causes: Sequence[Cause]) -> StatusError:
    """What is wrong with query parameters or options (kind "ListOptions", "PatchOptions", ...)."""
    return invalid(GroupResource("meta.k8s.io", kind), "", causes)


def method_not_allowed() -> StatusError:
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def method_not_supported(gr: GroupResource, verb: str) -> StatusError:
    """What custom resources say instead."""
    message = f'{verb} is not supported on resources of kind "{gr}"'
    return StatusError(405, "MethodNotAllowed", message, _details(gr))


def no_such_path() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return StatusError(406, "NotAcceptable", message)


def not_producible(produced: Sequence[str]) -> StatusError:
    """What the router says where an Accept header names nothing that a path answers with."""
    message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(produced)}"
    return StatusError(406, "NotAcceptable", message, {})


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return StatusError(415, "UnsupportedMediaType", message)


def gone(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def too_old(requested: int, oldest: int) -> StatusError:
    return gone(f"too old resource version: {requested} ({oldest})")


def too_large_version(requested: int, current: int) -> StatusError:
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    message = f"Timeout: Too large resource version: {requested}, current: {current}"
    return StatusError(504, "Timeout", message, details, {"Retry-After": "1"})


def too_large_body(limit: int) -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def rejected() -> StatusError:
    """What a patch that cannot be applied gets."""
    return StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def internal(message: str) -> StatusError:
    details = {"causes": [{"message": message}]}
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", details)
