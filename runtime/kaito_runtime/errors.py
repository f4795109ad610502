"""The failures that a user can act on. Each is one sentence: what, where, and what to do; none carries a secret."""

from typing import ClassVar

from kaito_runtime import exitcodes

_LONGEST_BODY = 256
"""Characters of another program's answer that are repeated in a message."""


class RuntimeFailure(Exception):
    """Base of all expected failures; `str(failure)` is the sentence, `code` the exit code of the process."""

    code: ClassVar[int] = exitcodes.UNEXPECTED
    reason: ClassVar[str] = "Unexpected"

    @property
    def permanent(self) -> bool:
        """Whether trying again without a change is pointless."""
        return self.code in exitcodes.PERMANENT


class UsageFailure(RuntimeFailure):
    """The command line asks for something impossible."""

    code = exitcodes.USAGE
    reason = "Usage"


class BadConfig(RuntimeFailure):
    """The training configuration, mirror map or docker configuration is wrong."""

    code = exitcodes.BAD_CONFIG
    reason = "BadConfig"


class BadData(RuntimeFailure):
    """Data or image content that cannot be used as it is."""

    code = exitcodes.BAD_DATA
    reason = "BadData"


class NotFound(RuntimeFailure):
    """What was asked for does not exist."""

    code = exitcodes.NOT_FOUND
    reason = "NotFound"


class Unavailable(RuntimeFailure):
    """An endpoint did not answer, or answered 5xx or 429, until the retries ran out."""

    code = exitcodes.UNAVAILABLE
    reason = "Unavailable"


class TemporaryFailure(RuntimeFailure):
    """Something local that passes: interrupted, no space, a lock that is held."""

    code = exitcodes.TEMPORARY
    reason = "Temporary"


class Refused(RuntimeFailure):
    """The other side refuses our credentials, or wants some."""

    code = exitcodes.REFUSED
    reason = "Refused"


def failure_of(code: int, sentence: str) -> RuntimeFailure:
    """Return the failure whose exit code is `code`; an unexpected one for a code that no failure has."""
    kinds = {kind.code: kind for kind in RuntimeFailure.__subclasses__()}
    return kinds.get(code, RuntimeFailure)(sentence)


def shorten(text: str, *, limit: int = _LONGEST_BODY) -> str:
    """Return `text` on one line and at most `limit` characters long, for use inside a message."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
