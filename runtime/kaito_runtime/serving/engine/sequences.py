"""A request in progress: its tokens, its text so far, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..generation import FinishReason, GenerationRequest, Piece, TextCodec, TokenLogprob
from .lora import Variant
from .sampling import Choice, Sampler

Sink = Callable[["Piece | Exception"], None]
"""Takes a request's pieces, or the error that ended it; called on the engine's thread, must not block."""

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


class SequenceState:
    """What the scheduler keeps for one accepted request."""

    def __init__(
        self,
        request: GenerationRequest,
        *,
        variant: Variant,
        limit: int,
        codec: TextCodec,
        eos: frozenset[int],
        sink: Sink,
    ) -> None:
        """`limit`: most new tokens (at least one), already fitted to the context."""
        s = request.sampling
        self.request = request
        self.variant = variant
        self.limit = limit
        self.prompt = list(request.prompt)
        self.fed = 0
        """Tokens whose keys and values are in the cache."""
        self.last = 0
        """The newest token, to be fed next."""
        self.generated: list[int] = []
        self.cancelled = False
        self.submitted = time.monotonic()
        self.deadline = None if request.timeout is None else self.submitted + request.timeout
        self.sampler = Sampler(s, self.prompt, vocabulary=codec.vocabulary_size, eos=eos)
        self._sink = sink
        self._codec = codec
        self._ends = frozenset(s.stop_token_ids) | (frozenset() if s.ignore_eos else eos)
        # Without a listener for every token and without stop strings, one decoding at the end does.
        self._incremental = request.stream or bool(s.stop)
        self._text = AnswerText(codec, stop=s.stop, skip_special=s.skip_special_tokens)
        self._logprobs: list[TokenLogprob] = []
        self._unreported = 0

    def accept(self, choice: Choice) -> Piece | None:
        """Takes the next token; returns what to tell the listener, if anything. The last one has a `finish_reason`."""
        self.last = choice.token
        self.generated.append(choice.token)
        self._unreported += 1
        self.sampler.accept(choice.token)
        if choice.token in self._ends:
            return self._finish("stop", self._text.flush() if self._incremental else self._whole(self.generated[:-1]))
        if self.request.sampling.logprobs is not None:
            self._logprobs.append(self._describe(choice))
        text = self._text.push(choice.token) if self._incremental else ""
        if self._text.stopped:
            return self._finish("stop", text)
        if len(self.generated) >= self.limit:
            return self._finish(
                "length", text + self._text.flush() if self._incremental else self._whole(self.generated)
            )
        if self.request.stream and (text or self._logprobs):
            return self._piece(text, None)
        return None

    def report(self, item: Piece | Exception) -> None:
        self._sink(item)

    def _whole(self, tokens: Sequence[int]) -> str:
        return self._codec.decode(tokens, skip_special=self.request.sampling.skip_special_tokens)

    def _finish(self, reason: FinishReason, text: str) -> Piece:
        if self._text.stopped:
            reason = "stop"
        return self._piece(text, reason)

    def _piece(self, text: str, reason: FinishReason | None) -> Piece:
        piece = Piece(text=text, tokens=self._unreported, logprobs=tuple(self._logprobs), finish_reason=reason)
        self._unreported = 0
        self._logprobs = []
        return piece

    def _describe(self, choice: Choice) -> TokenLogprob:
        return TokenLogprob(
            choice.token,
            self._token_text(choice.token),
            choice.logprob,
            tuple((token, self._token_text(token), value) for token, value in choice.top),
        )

    def _token_text(self, token: int) -> str:
        return self._codec.decode([token], skip_special=False)
