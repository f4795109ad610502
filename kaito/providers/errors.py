"""What can go wrong at a provider, by what has to be done about it.

Every error carries the condition reason that users see and whether trying again can help. Unknown exceptions are
wrapped by `wrapped`, never swallowed.
"""

from __future__ import annotations

import logging
from typing import ClassVar

logger = logging.getLogger(__name__)

MESSAGE_LIMIT = 256


class ProviderError(Exception):
    """Base of all provider errors.

    `code` is the provider's own code, `scope` what it is about (subscription, family, zone), `raw` a shortened body for
    logs. `retry_after`: seconds that the provider asked to wait.
    """

    reason: ClassVar[str] = "TransientProviderError"
    """Condition reason."""
    retryable: ClassVar[bool] = True
    """Whether the same request can succeed later without anybody changing it."""
    default_delay: ClassVar[float | None] = None
    """Seconds to wait when the provider named none; None: exponential back-off."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        retry_after: float | None = None,
        scope: str = "",
        raw: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__
        self.retry_after = retry_after
        self.scope = scope
        self.raw = raw[:MESSAGE_LIMIT]

    @property
    def delay(self) -> float | None:
        """Seconds until the next try; None: exponential back-off."""
        return self.retry_after if self.retry_after is not None else self.default_delay


class InvalidRequest(ProviderError):
    """The request can never work; wait for a changed one."""

    reason = "InvalidNodeRequest"
    retryable = False


class AuthFailed(ProviderError):
    """The credentials are refused; looked at again every 5 minutes."""

    reason = "ProviderUnauthorized"
    retryable = False
    default_delay = 300


class PolicyDenied(AuthFailed):
    """A policy of the cloud forbids it."""


class NotFound(ProviderError):
    """No such node: deleted, or lost."""

    reason = "NodeNotFound"
    retryable = False


class QuotaExceeded(ProviderError):
    """A quota is used up; somebody has to raise it."""

    reason = "QuotaExceeded"
    default_delay = 600

    def __init__(
        self,
        message: str,
        *,
        limit: int | None = None,
        usage: int | None = None,
        required: int | None = None,
        code: str = "",
        retry_after: float | None = None,
        scope: str = "",
        raw: str = "",
    ) -> None:
        super().__init__(message, code=code, retry_after=retry_after, scope=scope, raw=raw)
        self.limit, self.usage, self.required = limit, usage, required


class SkuUnavailable(ProviderError):
    """The size cannot be had here."""

    reason = "SkuNotAvailable"
    default_delay = 3600


class CapacityUnavailable(ProviderError):
    """The cloud has no machine of the size just now; `scope` names the zone where one was asked for."""

    reason = "InsufficientCapacity"
    default_delay = 180


class Throttled(ProviderError):
    """Too many requests; does not count as a failure."""

    reason = "Throttled"
    default_delay = 30


class OperationInProgress(ProviderError):
    """Another operation is running; keep the request."""

    reason = "WaitingForOperation"
    default_delay = 15


class Transient(ProviderError):
    """Something passing: network, 5xx, or an exception that nobody classified (then `raw` holds it)."""


class ProvisionFailed(ProviderError):
    """The machine was begun and failed; `scope` names the stage. Delete the record, then try once more."""

    reason = "ProvisioningFailed"


class ProvisionTimeout(ProviderError):
    """The machine did not come in time. Delete the record, then try again."""

    reason = "ProvisioningTimeout"


class Unsupported(ProviderError):
    """The provider lacks a capability, named in `scope`."""

    reason = "UnsupportedCapability"
    retryable = False


CLASSES: tuple[type[ProviderError], ...] = (
    InvalidRequest,
    AuthFailed,
    PolicyDenied,
    NotFound,
    QuotaExceeded,
    SkuUnavailable,
    CapacityUnavailable,
    Throttled,
    OperationInProgress,
    Transient,
    ProvisionFailed,
    ProvisionTimeout,
    Unsupported,
)
"""Every class, for tests and classifiers."""


def wrapped(error: Exception) -> ProviderError:
    """`error` itself when it is ours, else a Transient that says what it was; the log says where it came from.

    For callers that catch everything a provider raises: foreign code must not end a reconcile without a condition.
    """
    if isinstance(error, ProviderError):
        return error
    logger.warning("a provider raised what is no ProviderError", exc_info=error)
    text = f"{type(error).__name__}: {error}"
    return Transient(f"unexpected provider failure: {text}"[:MESSAGE_LIMIT], code="Unclassified", raw=text)
