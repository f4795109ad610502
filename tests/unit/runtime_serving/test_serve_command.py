"""The command line of `kaito-runtime serve`: flags, Kaito's flags, the config file."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from kaito_runtime.errors import RuntimeFailure
from kaito_runtime.serving import lifecycle
from kaito_runtime.serving.command import serve
from kaito_runtime.serving.settings import ServeSettings
from typer.testing import CliRunner


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command up to where the server would start."""
    app = typer.Typer()
    app.command()(serve)

    def run(*arguments: str) -> ServeSettings:
        seen: list[ServeSettings] = []
        monkeypatch.setattr(lifecycle, "run", seen.append)
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return seen[0]

    return run


def test_the_pods_command_line(parse: Any, tmp_path: Path) -> None:
    settings = parse(
        "--model", "microsoft/Phi-3", "--adapters-dir", str(tmp_path), "--host", "127.244.1.2", "--port", "5000",
        "--served-model-name", "phi-3",
    )  # fmt: skip
    assert settings.engine.model == "microsoft/Phi-3"
    assert (settings.server.host, settings.server.port) == ("127.244.1.2", 5000)
    assert settings.surfaces.served_model_name == "phi-3"
    assert settings.surfaces.aliases == ("microsoft/Phi-3",)
    assert settings.engine.adapters == ()


def test_kaitos_own_flags_are_taken(parse: Any, tmp_path: Path) -> None:
    settings = parse(
        "--pipeline=text-generation", "--pretrained_model_name_or_path=m/x", "--torch_dtype=bfloat16",
        "--device_map=cpu", "--combination_type=svd", "--served_model_name=x", "--allow_remote_files",
        "--trust_remote_code", "--chat_template={{ messages }}", "--kaito-adapters-dir", str(tmp_path),
        "--max-model-len=auto", "--enable-lora", "--gpu-memory-utilization=0.84",
    )  # fmt: skip
    assert settings.engine.model == "m/x"
    assert settings.engine.dtype == "bfloat16"
    assert settings.engine.device == "cpu"
    assert settings.engine.trust_remote_code
    assert settings.engine.chat_template == "{{ messages }}"
    assert settings.engine.context_length is None
    assert settings.engine.gpu_memory_utilization == 0.84


def test_the_config_files_vllm_section_wins_over_flags(parse: Any, tmp_path: Path) -> None:
    file = tmp_path / "inference_config.yaml"
    file.write_text("vllm:\n  max-model-len: 128\n  max-num-seqs: 4\n  swap-space: 2\nmax_probe_steps: 6\n")
    settings = parse("--max-model-len=64", "--kaito-config-file", str(file))
    assert (settings.engine.context_length, settings.engine.max_rows) == (128, 4)
    file.write_text("")
    assert parse("--config-file", str(file)).engine.max_rows == 32


def test_no_timeout_is_zero(parse: Any) -> None:
    assert parse("--timeout", "0").surfaces.timeout is None
    assert parse("--timeout", "2.5").surfaces.timeout == 2.5


def test_a_template_file_is_read(parse: Any, tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("ä{{ x }}", encoding="utf-8")
    assert parse("--chat-template", str(tmp_path / "t.jinja")).engine.chat_template == "ä{{ x }}"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--engine", "tensorrt"], "auto, transformers, vllm"),
        (["--pipeline", "summarization"], "Unsupported pipeline: summarization"),
        (["--max-model-len", "long"], "max-model-len"),
        (["--max-model-len", "0"], "max-model-len"),
        (["--device", "tpu"], "auto, cpu, cuda or cuda:N"),
        (["--chat-template", "/nowhere/t.jinja"], "t.jinja"),
        (["--chat-template", "{root}/latin1"], "latin1 is not UTF-8 text"),
        (["--config-file", "/nowhere/c.yaml"], "does not exist"),
        (["--config-file", "{root}/list.yaml"], "section vllm"),
        (["--config-file", "{root}/broken.yaml"], "broken.yaml:1: not YAML"),
        (["--config-file", "{root}/length.yaml"], "length.yaml: max-model-len 'long'"),
        (["--config-file", "{root}/rows.yaml"], "max-num-seqs"),
        (["--load-in-4bit", "--load-in-8bit"], "exclude each other"),
        (["--served-model-name", "a", "--adapters-dir", "{root}"], "another --served-model-name"),
    ],
)
def test_mistakes_are_one_sentence(parse: Any, tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "latin1").write_bytes(b"\xe4")
    (tmp_path / "list.yaml").write_text("[1]")
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "length.yaml").write_text("vllm: {max-model-len: long}")
    (tmp_path / "rows.yaml").write_text("vllm: {max-num-seqs: many}")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "adapter_config.json").write_text("{}")
    (tmp_path / "a" / "adapter_model.safetensors").write_text("")
    with pytest.raises(RuntimeFailure, match=says):
        parse(*(argument.format(root=tmp_path) for argument in arguments))


def test_the_manual_needs_no_torch_and_names_what_matters() -> None:
    program = (
        "import sys; sys.argv = ['kaito-runtime', 'serve', '--help']\n"
        "from kaito_runtime.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'fastapi', 'peft'} & sys.modules.keys()"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    for word in ("--adapter", "--max-queue", "KAITO_ADAPTER_STRENGTHS", "/v1/responses", "SIGTERM", "--allow-adapter"):
        assert word in shown.stdout
