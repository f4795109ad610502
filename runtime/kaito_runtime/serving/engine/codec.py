"""A Hugging Face tokenizer as a `TextCodec`."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

_INCOMPLETE = "\ufffd"


@functools.cache
def _byte_level() -> Mapping[str, int]:
    """The letters that byte-level BPE writes for bytes: printable ones for themselves, the others from 256 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


class TokenizerCodec:
    """Encodes, decodes and renders with one tokenizer; fast tokenizers may be used by several threads at once."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._size = len(tokenizer)
        self._bytes: dict[int, bytes] = {}

    @property
    def has_chat_template(self) -> bool:
        return bool(self._tokenizer.chat_template)

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

    def token_bytes(self, token: int) -> bytes:
        if token not in self._bytes:
            self._bytes[token] = self._find_bytes(token)
        return self._bytes[token]

    def _find_bytes(self, token: int) -> bytes:
        text = self.decode([token], skip_special=False)
        if _INCOMPLETE in text:
            piece = self._tokenizer.convert_ids_to_tokens(token)
            if re.fullmatch(r"<0x[0-9A-F]{2}>", piece):
                return bytes.fromhex(piece[3:5])
            return bytes(_byte_level()[letter] for letter in piece if letter in _byte_level()) or text.encode()
        # Alone, a token of a SentencePiece model loses the space that it begins with; after itself it does not.
        twice = self.decode([token, token], skip_special=False)
        return (twice[len(text) :] if twice.startswith(text) else text).encode()

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
            )
        except (
            Exception
        ) as error:  # templates are programs of the model's author: whatever they raise is about these messages
            raise ValueError(f"the chat template refuses these messages: {error}") from error
        return text
