"""Building the list of conditions of a workspace, in the order in which Kaito writes them first."""

from __future__ import annotations

from dataclasses import dataclass

MESSAGE_LIMIT = 1024
"""Characters of a failure's sentence that a condition carries. Kaito cuts at 256, which loses addresses and paths."""


@dataclass(frozen=True)
class Condition:
    """One condition without its times."""

    type: str
    status: bool
    reason: str
    message: str

    def with_error(self, error: str | None) -> Condition:
        """The same with a failed pass's error at the end of its message, once."""
        if not error or error in self.message:
            return self
        return Condition(self.type, self.status, self.reason, f"{self.message} (last reconcile error: {error})")


def shortened(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """`text` on one line and cut to `limit` characters, with an ellipsis where it was longer."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
