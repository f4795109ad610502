"""Trying again, with growing pauses, what fails for a passing reason."""

import email.utils
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from kaito_runtime.errors import Unavailable
from kaito_runtime.reporting import log

_T = TypeVar("_T")

PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may be different next time."""


class Passing(Exception):
    """A failure that may pass. retry_after: seconds that the other side asked for, or None."""

    def __init__(self, sentence: str, *, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Patience:
    """How often and how long to try.

    attempts: in all. first: seconds before the second one; it doubles each time up to `longest`. spread: share by which
    a pause is varied at random, so that many clients do not return together. sleep: seconds to wait; replaced in tests.
    """

    attempts: int = 4
    first: float = 1.0
    longest: float = 30.0
    spread: float = 0.2
    sleep: Callable[[float], None] = field(default=time.sleep)

    def pause(self, attempt: int, retry_after: float | None) -> float:
        """Return the seconds to wait after attempt number `attempt` (from 1)."""
        own = min(self.longest, self.first * 2 ** (attempt - 1))
        own *= 1 + random.uniform(-self.spread, self.spread)
        return float(min(max(own, retry_after or 0.0), 2 * self.longest))


def patiently(what: str, attempt: Callable[[], _T], patience: Patience) -> _T:
    """Return what `attempt` returns; call it again while it raises Passing and there is patience left.

    Each failure is logged. Raises Unavailable with the last one's sentence when patience ends.
    """
    for number in range(1, patience.attempts + 1):
        try:
            return attempt()
        except Passing as failure:
            if number == patience.attempts:
                tries = f" (tried {number} times)" if number > 1 else ""
                raise Unavailable(f"{failure}{tries}") from failure
            pause = patience.pause(number, failure.retry_after)
            log("retry", level="warning", what=what, attempt=number, wait_seconds=round(pause, 2), why=str(failure))
            patience.sleep(pause)
    raise AssertionError("patience has at least one attempt")


def cause(error: Exception) -> str:
    """Return what a transport error says, or its name: some say nothing, and one about a header quotes the secret in
    it."""
    import httpx

    return type(error).__name__ if isinstance(error, httpx.LocalProtocolError) else str(error) or type(error).__name__


def retry_after_seconds(value: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for (a number or a date), or None."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
