"""The bytes of single tokens: together those of the text, whatever the tokenizer's kind."""

from typing import Any

import pytest
from kaito_runtime.serving.engine.codec import TokenizerCodec
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

from .tiny import tiny_tokenizer

pytestmark = pytest.mark.torch

TEXT = "Hi  there 😀 日本語é"


def sentence_piece() -> Any:
    """As in Llama 2: a space is part of the next word, unknown characters are bytes."""
    words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *"▁Htiehré", "▁H", "▁t"]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={word: number for number, word in enumerate(words)},
            merges=[("▁", "H"), ("▁", "t")],
            byte_fallback=True,
            unk_token="<unk>",
        )
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


@pytest.mark.parametrize("tokenizer", [tiny_tokenizer(), sentence_piece()], ids=["byte-level", "sentencepiece"])
def test_the_bytes_of_a_texts_tokens_are_the_texts(tokenizer: Any) -> None:
    codec = TokenizerCodec(tokenizer)
    found = b"".join(codec.token_bytes(token) for token in codec.encode(TEXT, special=False))
    assert found.decode().removeprefix(" ") == TEXT
