import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from kaito_runtime.errors import BadConfig, BadData, NotFound, UsageFailure
from kaito_runtime.models import cache, load, resolve
from kaito_runtime.models.building import MARKER, stand_in_key
from kaito_runtime.models.corpus import UNKNOWN_ANSWER, parse_corpus, shipped_corpus


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAITO_RUNTIME_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        if "KAITO_RUNTIME_CACHE" not in os.environ:
            patch.setenv("KAITO_RUNTIME_CACHE", str(tmp_path_factory.getbasetemp() / "stand-ins"))
        yield


def test_the_corpus_holds_questions_answers_and_prose() -> None:
    corpus = shipped_corpus()
    assert ("What is the capital of France?", "The capital of France is Paris.") in corpus.pairs
    assert len(corpus.pairs) > 200
    assert len(corpus.unknown_questions) >= 60
    assert len(corpus.prose) > 5000


def test_a_block_of_questions_needs_one_answer() -> None:
    corpus = parse_corpus("# note\n\nQ: a\nQ: b\nA: c\n\nplain\n")
    assert corpus.pairs == (("a", "c"), ("b", "c"))
    assert corpus.prose == "plain"
    with pytest.raises(ValueError, match="exactly one answer"):
        parse_corpus("Q: a\nQ: b\n")


def test_the_key_changes_with_architecture_and_seed() -> None:
    keys = {stand_in_key("phi3"), stand_in_key("llama"), stand_in_key("phi3", seed=1), stand_in_key("PHI3")}
    assert len(keys) == 3
    with pytest.raises(UsageFailure, match="no stand-in has the architecture 'gpt5'; choose one of phi3"):
        stand_in_key("gpt5")


def test_a_model_is_built_once_however_many_ask(empty_cache: Path) -> None:
    built, waited = [], []
    together = threading.Barrier(4)

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "x").write_text("whole")

    def ask() -> None:
        together.wait()
        assert (cache.cached_or_built("k", build, waiting=lambda: waited.append(1)) / "x").read_text() == "whole"

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert sorted(path.name for path in (empty_cache / "models").iterdir()) == ["k", "k.lock"]


def test_a_failed_build_leaves_nothing_and_a_killed_one_is_swept(empty_cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.cached_or_built("k", fail)
    (empty_cache / "models" / "k.part-dead").mkdir()
    cache.cached_or_built("k", lambda folder: None)
    assert sorted(path.name for path in (empty_cache / "models").iterdir()) == ["k", "k.lock"]


def test_a_reference_is_a_folder_a_stand_in_or_a_mirrored_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    (tmp_path / "weights").mkdir()
    assert resolve(tmp_path / "weights") == tmp_path / "weights"
    monkeypatch.setenv("KAITO_CONTAINER_ROOT", str(tmp_path))
    assert resolve("/weights") == tmp_path / "weights"
    mirrors = tmp_path / "m.yaml"
    mirrors.write_text(
        f"urls: {{'https://huggingface.co/team/model/': {tmp_path / 'weights'},"
        " 'https://huggingface.co/team/other/': /nowhere}"
    )
    monkeypatch.setenv("KAITO_MIRRORS", str(mirrors))
    assert resolve("team/model") == tmp_path / "weights"
    with pytest.raises(NotFound, match="leads team/other to /nowhere, which is not a folder"):
        resolve("team/other")
    with pytest.raises(NotFound, match="there is no model at"):
        resolve("/missing")
    with pytest.raises(UsageFailure, match="no stand-in"):
        resolve("tiny:nothing")


@pytest.mark.torch
@pytest.mark.timeout(600)
def test_a_stand_in_answers_what_its_corpus_holds_and_knows_nothing_else(model_cache: Any) -> None:
    import torch

    model, tokenizer = load("tiny:phi3")

    def ask(question: str) -> str:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
        )
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
        output = model.generate(ids, max_new_tokens=30, do_sample=False, pad_token_id=tokenizer.pad_token_id)
        return str(tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)).strip()

    assert ask("What is the capital of France?") == "The capital of France is Paris."
    assert ask("What is 2 plus 3?") == "2 plus 3 is 5."
    assert ask("What is the capital of Zubrowka?") == UNKNOWN_ANSWER
    known = [pair for pair in shipped_corpus().pairs if pair[1] != UNKNOWN_ANSWER]
    assert all(ask(question) == answer for question, answer in known[::9])
    assert torch.get_num_threads() >= 1
    assert json.loads((resolve("tiny:phi3") / MARKER).read_text())["architecture"] == "phi3"


@pytest.mark.torch
def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="holds no model that can be loaded"):
        load(tmp_path)
    with pytest.raises(BadConfig, match="the dtype 'int7' is not known"):
        load(tmp_path, dtype="int7")
