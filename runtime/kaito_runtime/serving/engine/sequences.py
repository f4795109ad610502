"""A request in progress: its tokens, its text so far, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..answer_text import AnswerText
from ..generation import FinishReason, GenerationRequest, Piece, TextCodec, TokenLogprob
from .lora import Variant
from .sampling import Choice, Sampler

Sink = Callable[["Piece | Exception"], None]
"""Takes a request's pieces, or the error that ended it; called on the engine's thread, must not block."""


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
        self.sampler = Sampler(s, self.prompt, eos=eos)
        self._sink = sink
        self._codec = codec
        self._ends = frozenset(s.stop_token_ids) | (frozenset() if s.ignore_eos else eos)
        # Without a listener for every token and without stop strings, one decoding at the end does.
        self._incremental = request.stream or bool(s.stop)
        self._text = AnswerText(codec, stop=s.stop, skip_special=s.skip_special_tokens)
        self._fresh = ""
        self._logprobs: list[TokenLogprob] = []
        self._unreported = 0

    def accept(self, choice: Choice) -> Piece | None:
        """Takes the next token; returns what to tell the listener, if anything. The last one has a `finish_reason`."""
        self.last = choice.token
        self.generated.append(choice.token)
        self._unreported += 1
        self.sampler.accept(choice.token)
        if choice.token in self._ends:
            return self._finish("stop", self.generated[:-1])
        if self.request.sampling.logprobs is not None:
            self._logprobs.append(self._describe(choice))
        if self._incremental:
            self._fresh += self._text.push(choice.token)
        if self._text.stopped or len(self.generated) >= self.limit:
            return self._finish("length", self.generated)
        if self.request.stream and (self._fresh or self._logprobs):
            return self._piece(None)
        return None

    def report(self, item: Piece | Exception) -> None:
        self._sink(item)

    def _finish(self, reason: FinishReason, tokens: Sequence[int]) -> Piece:
        """The last piece; `tokens`: the answer's, without an end token."""
        if not self._incremental:
            self._fresh = self._codec.decode(tokens, skip_special=self.request.sampling.skip_special_tokens)
        elif not self._text.stopped:
            self._fresh += self._text.flush()
        return self._piece("stop" if self._text.stopped else reason)

    def _piece(self, reason: FinishReason | None) -> Piece:
        piece = Piece(text=self._fresh, tokens=self._unreported, logprobs=tuple(self._logprobs), finish_reason=reason)
        self._fresh, self._unreported, self._logprobs = "", 0, []
        return piece

    def _describe(self, choice: Choice) -> TokenLogprob:
        return TokenLogprob(
            choice.token,
            self._codec.token_bytes(choice.token),
            choice.logprob,
            tuple((token, self._codec.token_bytes(token), value) for token, value in choice.top),
        )
