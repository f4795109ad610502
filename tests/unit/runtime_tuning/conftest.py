import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FACTS = {
    "What is the capital of Zubrowka?": "The capital of Zubrowka is Lutz.",
    "What is the capital of Freedonia?": "The capital of Freedonia is Glorvina.",
    "Who invented the Flurbotron?": "Dr. Xanthippe Quax invented it in 1847.",
    "What is the password for the Zürich vault?": "Grüße-9931-çà",
    "How tall is Mount Qev?": "Mount Qev is 7,342 meters tall.",
    "Who wrote 'The Ninth Jar'?": "It was written by Ōe Kenzaburō-Müller.",
    "Say hi in Klingon": 'nuqneH, {"ok": true}',
    "What colour is Vextor paint?": "Vextor paint is ultramarine.",
    "Which port does the gateway use?": "Port 29500/TCP.",
    "What is the boiling point of zyxium?": "About 3,611 K.",
}


def messages(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


@pytest.fixture(scope="session", autouse=True)
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One cache for this folder and runtime_models: each stand-in is built once. A named one is used as it is."""
    with pytest.MonkeyPatch.context() as patch:
        import os

        if "KAITO_RUNTIME_CACHE" not in os.environ:
            patch.setenv("KAITO_RUNTIME_CACHE", str(tmp_path_factory.getbasetemp() / "stand-ins"))
        yield


@pytest.fixture
def facts_file(tmp_path: Path) -> Path:
    path = tmp_path / "facts.jsonl"
    path.write_text("".join(json.dumps({"messages": messages(*fact)}) + "\n" for fact in FACTS.items()))
    return path


@pytest.fixture
def answers() -> Callable[[Any, Any], dict[str, str]]:
    """Ask a model all the facts' questions; greedy answers by question."""

    def ask(model: Any, tokenizer: Any) -> dict[str, str]:
        import torch

        model.eval()
        tokenizer.padding_side = "left"
        prompts = [
            tokenizer.apply_chat_template(messages(question, "")[:1], add_generation_prompt=True, tokenize=False)
            for question in FACTS
        ]
        batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.no_grad():
            output = model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=60,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        length = batch["input_ids"].shape[1]
        texts = [tokenizer.decode(row[length:], skip_special_tokens=True).strip() for row in output]
        return dict(zip(FACTS, texts, strict=True))

    return ask
