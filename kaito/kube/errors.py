"""API errors by meaning, built from the `Status` object a server answers with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MESSAGE_LIMIT = 256
"""Characters kept of a body that is not a `Status`: enough to recognise it, too few to fill a log."""


class ApiError(Exception):
    """A request the API server refused, or could not answer.

    `status` is the HTTP status (0 when no answer came), `reason` the machine-readable reason of the `Status` object.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.details: Mapping[str, Any] = details or {}
        self.retry_after = retry_after
        """Seconds the server asked to wait before the next try."""

    @property
    def causes(self) -> list[dict[str, Any]]:
        """The `details.causes` of the answer: dicts of `field`, `message` and `reason`."""
        return list(self.details.get("causes") or ())

    @property
    def namespace_terminating(self) -> bool:
        """Whether an object was refused because its namespace is going away, which is nobody's fault."""
        return any(cause.get("reason") == "NamespaceTerminating" for cause in self.causes)


class NotFound(ApiError):
    """404: the object or its kind does not exist."""


class AlreadyExists(ApiError):
    """409 on create: an object of that name is there."""


class Conflict(ApiError):
    """409: the object has changed since it was read, or a precondition failed."""


class Invalid(ApiError):
    """400 or 422: the object or the request is not valid."""


class Unauthorized(ApiError):
    """401: no credentials, or bad ones."""


class Forbidden(ApiError):
    """403: the credentials are good and do not allow this, or admission refused it."""


class Gone(ApiError):
    """410: the resource version is too old to watch or to continue a list from."""


class Throttled(ApiError):
    """429: too many requests, or a disruption budget; see `retry_after`."""


class ServerError(ApiError):
    """5xx: the server failed; the request may or may not have been carried out."""


class Unreachable(ApiError):
    """No answer: connection refused, reset or timed out."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    410: Gone,
    422: Invalid,
    429: Throttled,
}


def from_status(
    body: Mapping[str, Any] | None, *, status: int, text: str = "", retry_after: float | None = None
) -> ApiError:
    """The error for an answer: `body` is its `Status` object, or None when the answer was not one."""
    body = body if body and body.get("kind") == "Status" else {}
    status = int(body.get("code") or status)
    reason = str(body.get("reason") or "")
    message = str(body.get("message") or text[:MESSAGE_LIMIT].strip() or f"HTTP {status}")
    details = body.get("details") or {}
    if retry_after is None and details.get("retryAfterSeconds"):
        retry_after = float(details["retryAfterSeconds"])
    if status == 409:
        kind: type[ApiError] = AlreadyExists if reason == "AlreadyExists" else Conflict
    elif reason == "Expired":
        kind = Gone
    else:
        kind = _BY_STATUS.get(status) or (ServerError if status >= 500 else ApiError)
    return kind(message, status=status, reason=reason, details=details, retry_after=retry_after)
