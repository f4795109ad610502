"""A Hugging Face tokenizer as a `TextCodec`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class TokenizerCodec:
    """Encodes, decodes and renders with one tokenizer; fast tokenizers may be used by several threads at once."""

    def __init__(self, tokenizer: Any, *, chat_template: str | None = None) -> None:
        """`chat_template`: used instead of the tokenizer's own."""
        self._tokenizer = tokenizer
        self._template = chat_template
        self._size = len(tokenizer)

    @property
    def has_chat_template(self) -> bool:
        return bool(self._template or self._tokenizer.chat_template)

    @property
    def vocabulary_size(self) -> int:
        return self._size

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=special)["input_ids"]
        return ids

    def decode(self, tokens: Sequence[int], *, skip_special: bool = True) -> str:
        text: str = self._tokenizer.decode(
            list(tokens), skip_special_tokens=skip_special, clean_up_tokenization_spaces=False
        )
        return text

    def render(self, messages: Sequence[Mapping[str, Any]], **template_arguments: Any) -> str:
        if not self.has_chat_template:
            raise ValueError(
                "this model's tokenizer has no chat template; give one with --chat-template, or use /v1/completions"
            )
        try:
            text: str = self._tokenizer.apply_chat_template(
                [dict(m) for m in messages],
                **{"add_generation_prompt": True, **template_arguments},
                tokenize=False,
                **({"chat_template": self._template} if self._template else {}),
            )
        except (
            Exception
        ) as error:  # templates are programs of the model's author: whatever they raise is about these messages
            raise ValueError(f"the chat template refuses these messages: {error}") from error
        return text
