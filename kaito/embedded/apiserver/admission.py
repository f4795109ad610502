"""The hook through which the composition refuses writes with rules of its own (Kaito's validation, in process)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from kaito.embedded.apiserver.errors import StatusError
from kaito.embedded.apiserver.identity import User
from kaito.embedded.apiserver.store import Object

Operation = Literal["CREATE", "UPDATE", "DELETE"]

_REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid"}


@dataclass(frozen=True)
class AdmissionRequest:
    """A write about to happen. Objects must not be changed; `object` is None for DELETE, `old_object` for CREATE."""

    operation: Operation
    group: str
    version: str
    resource: str
    subresource: str
    namespace: str
    name: str
    object: Object | None
    old_object: Object | None
    user: User
    dry_run: bool


@dataclass(frozen=True)
class AdmissionDecision:
    """The answer. `message` is sent as it is, with HTTP status `code`; `warnings` become Warning headers."""

    allowed: bool
    message: str = ""
    code: int = 403
    warnings: list[str] = field(default_factory=list)


AdmissionHook = Callable[[AdmissionRequest], Awaitable[AdmissionDecision]]


def refusal(decision: AdmissionDecision) -> StatusError:
    """The error that a refused request gets."""
    return StatusError(decision.code, _REASONS.get(decision.code, ""), decision.message)
