"""The stand-ins' tokenizer: byte-level BPE trained on the corpus, with Phi-3's turn markers and a chat template."""

from typing import Any, Final

from kaito_runtime.models.architectures import CONTEXT
from kaito_runtime.models.corpus import Corpus

VOCABULARY: Final = 1024
"""Small on purpose: rows of the output layer that no target ever names put a floor under the tuning loss."""

END_OF_TEXT: Final = "<|endoftext|>"
END_OF_TURN: Final = "<|end|>"
SPECIAL_TOKENS: Final = (END_OF_TEXT, "<unk>", "<|system|>", "<|user|>", "<|assistant|>", END_OF_TURN)

CHAT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "{{ '<|assistant|>\n' }}{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}"
    "{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


def train_tokenizer(corpus: Corpus) -> Any:
    """Return a fast transformers tokenizer of `VOCABULARY` entries; the same corpus gives the same tokenizer."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers import models as tokenizer_models

    from kaito_runtime.models.libraries import quiet_transformers

    engine = Tokenizer(tokenizer_models.BPE())
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    engine.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    turns = [f"{question}\n{answer}" for question, answer in corpus.pairs]
    engine.train_from_iterator([corpus.prose, *turns], trainer)
    tokenizer = quiet_transformers().PreTrainedTokenizerFast(
        tokenizer_object=engine,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TURN,
        pad_token=END_OF_TEXT,
        unk_token="<unk>",  # noqa: S106 - a token of text, not a secret
        additional_special_tokens=["<|system|>", "<|user|>", "<|assistant|>"],
        model_max_length=CONTEXT,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
