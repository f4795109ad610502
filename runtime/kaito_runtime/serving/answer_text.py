"""From tokens to text, one at a time. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from .generation import TextCodec

_INCOMPLETE = "\ufffd"


class AnswerText:
    """Turns tokens into text as they come.

    Text is released only when it can no longer change: not while a character's bytes are incomplete, and not while
    its end may be the beginning of a stop string. All releases together equal the decoded answer up to the stop
    string.
    """

    def __init__(self, codec: TextCodec, *, stop: Sequence[str] = (), skip_special: bool = True) -> None:
        self._codec = codec
        self._stop = tuple(s for s in stop if s)
        self._skip_special = skip_special
        self._tokens: list[int] = []
        self._prefix = 0
        self._read = 0
        self._known = ""
        self._held = ""
        self.stopped = False

    def push(self, token: int) -> str:
        """Takes a token and returns the text that it releases. Sets `stopped` at a stop string."""
        self._tokens.append(token)
        window = self._decode()
        if window.endswith(_INCOMPLETE):
            return ""
        return self._release(self._advance(window))

    def flush(self) -> str:
        """The rest, at the end of the answer."""
        released = self._release(self._advance(self._decode()))
        if not self.stopped:
            released, self._held = released + self._held, ""
        return released

    def _decode(self) -> str:
        return self._codec.decode(self._tokens[self._prefix :], skip_special=self._skip_special)

    def _advance(self, window: str) -> str:
        fresh = window[len(self._known) :]
        self._prefix, self._read = self._read, len(self._tokens)
        self._known = self._decode()
        return fresh

    def _release(self, fresh: str) -> str:
        if not self._stop:
            return fresh
        if self.stopped:
            return ""
        text = self._held + fresh
        found = [place for place in (text.find(stop) for stop in self._stop) if place >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = max(_overlap(text, stop) for stop in self._stop)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop` (shorter than all of it)."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
