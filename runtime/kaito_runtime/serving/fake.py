"""An engine without a model, for tests of the surfaces and of whatever talks to this server.

Its tokens are bytes, its answers come from a function of the prompt's text, and it records what it was asked. It can be
held, so that requests pile up, and armed with errors.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .answer_text import AnswerText
from .generation import (
    AdapterRefused,
    EngineStats,
    GenerationError,
    GenerationRequest,
    Piece,
    PromptTooLong,
    QueueFull,
    Stopping,
    TimedOut,
    TokenLogprob,
    UnknownAdapter,
)

END = 256
"""The end-of-answer token; 0 to 255 are bytes."""


class ByteCodec:
    """UTF-8 bytes as tokens; a chat template that shows every message as `<role>content`."""

    vocabulary_size = 257

    def __init__(self, *, has_chat_template: bool = True) -> None:
        self.has_chat_template = has_chat_template

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        return list(text.encode())

    def decode(self, tokens: Sequence[int], *, skip_special: bool = True) -> str:
        return bytes(token for token in tokens if token < 256).decode(errors="replace") + (
            "" if skip_special else "<end>" * sum(token == END for token in tokens)
        )

    def token_bytes(self, token: int) -> bytes:
        return b"<end>" if token == END else bytes([token])

    def render(self, messages: Sequence[Mapping[str, Any]], **template_arguments: Any) -> str:
        if not self.has_chat_template:
            raise ValueError("there is no chat template")
        if any(not isinstance(message["content"], str) for message in messages):
            raise ValueError("content must be text")
        shown = "".join(f"<{message['role']}>{message['content']}" for message in messages)
        return shown + ("<assistant>" if template_arguments.get("add_generation_prompt", True) else "")


class FakeEngine:
    """See the module. `reply` makes an answer of the prompt's text and the adapter choice."""

    name = "fake"

    def __init__(
        self,
        reply: Callable[[str, GenerationRequest], str] = lambda text, request: "Hello, wörld.",
        *,
        context_length: int = 2000,
        capacity: int = 1000,
        codec: ByteCodec | None = None,
        adapters: Mapping[str, float] | None = None,
    ) -> None:
        self._reply = reply
        self._context_length = context_length
        self._capacity = capacity
        self._codec = codec or ByteCodec()
        self._adapters = dict(adapters or {})
        self._active = 0
        self._accepting = True
        self._tokens = 0
        self.requests: list[GenerationRequest] = []
        self.cancelled: list[str] = []
        self.errors: deque[tuple[int, GenerationError]] = deque()
        """(after how many tokens, error), each for one coming request."""
        self.open = asyncio.Event()
        """Cleared: requests wait after their first token."""
        self.open.set()

    @property
    def context_length(self) -> int:
        return self._context_length

    @property
    def codec(self) -> ByteCodec:
        return self._codec

    @property
    def adapters(self) -> Mapping[str, float]:
        return self._adapters

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece]:
        if not self._accepting:
            raise Stopping("The server is stopping and takes no new requests")
        if self._active >= self._capacity:
            raise QueueFull(f"Too many requests: {self._active} are running", retry_after=1.5)
        limit = request.sampling.max_tokens or self._context_length
        if len(request.prompt) + (request.sampling.max_tokens or 1) > self._context_length:
            raise PromptTooLong(f"This model's context is {self._context_length} tokens")
        if request.adapter.kind == "adapter" and request.adapter.name not in self._adapters:
            raise UnknownAdapter(f"The adapter {request.adapter.name!r} is not loaded")
        self.requests.append(request)
        self._active += 1
        ended = False
        try:
            async with asyncio.timeout(request.timeout):
                async for piece in self._answer(request, limit):
                    ended = piece.finish_reason is not None
                    if request.stream or ended:
                        yield piece
        except TimeoutError:
            ended = True
            raise TimedOut(f"The request took longer than its limit of {request.timeout:g} seconds") from None
        except GenerationError:
            ended = True
            raise
        finally:
            self._active -= 1
            if not ended:
                self.cancelled.append(request.id)

    async def _answer(self, request: GenerationRequest, limit: int) -> AsyncGenerator[Piece]:
        fails_after, error = self.errors.popleft() if self.errors else (-1, None)
        said = self._reply(self._codec.decode(request.prompt), request).encode()
        text = AnswerText(self._codec, stop=request.sampling.stop)
        held: list[TokenLogprob] = []
        shown, unreported = "", 0
        for count, token in enumerate([*said, END], start=1):
            if error is not None and count > fails_after:
                raise error
            unreported += 1
            self._tokens += 1
            await asyncio.sleep(0)
            if count > 1:
                await self.open.wait()
            stop = token == END
            fresh = text.flush() if stop else text.push(token)
            if request.sampling.logprobs is not None and not stop:
                held.append(self._logprob(token, request.sampling.logprobs))
            reason = "stop" if stop or text.stopped else "length" if count >= limit else None
            if reason == "length":
                fresh += text.flush()
            shown += fresh
            if request.stream or reason:
                yield Piece(
                    text=fresh if request.stream else shown,
                    tokens=unreported,
                    logprobs=tuple(held),
                    finish_reason=reason,  # type: ignore[arg-type]
                )
                held, unreported = [], 0
            if reason:
                return

    def _logprob(self, token: int, count: int) -> TokenLogprob:
        alternatives = [(token, -0.25), (END, -1.5), (0, float("-inf"))][:count]
        return TokenLogprob(
            token,
            self._codec.token_bytes(token),
            -0.25,
            tuple((each, self._codec.token_bytes(each), value) for each, value in alternatives),
        )

    async def load_adapter(self, name: str, folder: Path, strength: float = 1.0) -> None:
        if not (folder / "adapter_config.json").is_file():
            raise AdapterRefused(f"Adapter {name}: {folder / 'adapter_config.json'} does not exist")
        self._adapters[name] = strength

    async def unload_adapter(self, name: str) -> None:
        if self._adapters.pop(name, None) is None:
            raise UnknownAdapter(f"The adapter {name!r} is not loaded")

    def stats(self) -> EngineStats:
        return EngineStats(running=self._active, generated_tokens=self._tokens)

    async def stop(self, *, drain_timeout: float) -> None:
        self._accepting = False
