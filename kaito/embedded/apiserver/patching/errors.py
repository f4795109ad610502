"""How a patch can fail."""

from __future__ import annotations


class PatchError(ValueError):
    """The patch cannot be applied. `status` is the HTTP status the real server answers, `reason` its Status reason."""

    def __init__(self, message: str, *, status: int = 400, reason: str = "BadRequest") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
