"""Chat messages as requests carry them, and the prompt they make."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ..generation import Engine
from ..problems import Problem

LONG_TEXT = 20_000
"""Characters from which a prompt is tokenised off the event loop."""

TEXT_TYPES = ("text", "input_text", "output_text")


class TextPart(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    type: str
    text: str | None = None


class Message(BaseModel):
    """One message. Fields beyond these (name, tool_calls, tool_call_id, …) go to the chat template as they are."""

    model_config = ConfigDict(strict=True, extra="allow")
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    def for_template(self) -> dict[str, Any]:
        """As a template takes it: text parts joined by a space (as Kaito does), other kinds of parts refused."""
        message = dict(self.model_extra or {})
        message["role"] = "system" if self.role == "developer" else self.role
        if self.content is None and self.role not in ("assistant", "function"):
            raise Problem(400, f"A message of the role {self.role!r} needs content", param="messages")
        if isinstance(self.content, list):
            message["content"] = " ".join(_text(part) for part in self.content)
        else:
            message["content"] = self.content or ""
        return message


def _text(part: TextPart) -> str:
    if part.type in TEXT_TYPES and part.text is None:
        raise Problem(400, f"A content part of type {part.type!r} needs the field text", param="messages")
    if part.type not in TEXT_TYPES or part.text is None:
        raise Problem(
            400, f"Content of type {part.type[:64]!r} is not supported: this model takes text only", param="messages"
        )
    return part.text


async def render_prompt(
    engine: Engine, messages: Sequence[Mapping[str, Any]], **template_arguments: Any
) -> tuple[str, list[int]]:
    """The chat template's text and its tokens. Raises `Problem` 400 where the template refuses the messages."""
    try:
        text = engine.codec.render(messages, **template_arguments)
    except ValueError as error:
        raise Problem(400, str(error)[:512], param="messages") from None
    return text, await encode(engine, text, special=False)


async def encode(engine: Engine, text: str, *, special: bool = True) -> list[int]:
    """Tokens of a text; a long one is worked on in a thread."""
    if len(text) > LONG_TEXT:
        return await asyncio.to_thread(engine.codec.encode, text, special=special)
    return engine.codec.encode(text, special=special)
