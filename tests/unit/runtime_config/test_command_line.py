import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kaito_runtime import exitcodes, paths
from kaito_runtime.cli import COMMANDS

pytestmark = pytest.mark.timeout(300)  # starting Python takes long on a busy machine


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kaito_runtime", *words]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=250)


def test_the_overview_names_every_command_and_imports_none() -> None:
    code = (
        "import sys; sys.argv = ['kaito-runtime', '--help']\n"
        "from kaito_runtime.cli import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'httpx', 'transformers', 'yaml', 'fastapi'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "serve"])
def test_a_commands_help_needs_no_torch(name: str) -> None:
    code = (
        f"import sys; sys.argv = ['kaito-runtime', '{name}', '--help']\n"
        "from kaito_runtime.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Usage: kaito-runtime" in result.stdout


def test_a_failure_is_one_sentence_with_its_exit_code(tmp_path: Path) -> None:
    log = tmp_path / "termination"
    result = run("download", "ftp://host/x", "--output", str(tmp_path), KAITO_TERMINATION_LOG=str(log))
    assert result.returncode == exitcodes.USAGE
    assert result.stderr == "error: ftp://host/x is not an http(s) address\n"
    assert log.read_text() == "ftp://host/x is not an http(s) address\n"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["http://h/x", "--sha256", "abc"], 2, "'abc' is not a sha256 digest of 64 hexadecimal digits"),
        (["http://h/x#sha256=abc"], 2, "'abc' is not a sha256 digest of 64 hexadecimal digits"),
        (["http://h/x", "--model", "tiny:phi3"], 2, "--model goes with --output and --revision only"),
        (["http://h/x", "--output", "{file}"], 2, "{file} cannot be used: File exists"),
        (["http://h/x", "--output", "{file}/y"], 2, "{file}/y cannot be used: Not a directory"),
        (["http://h/x"], 64, "HF_TOKEN holds characters that no token has"),
    ],
)
def test_a_download_that_cannot_be_begun_is_refused_in_a_sentence(
    tmp_path: Path, words: list[str], code: int, sentence: str
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    token = {"HF_TOKEN": "hf_s3cret\nx"} if code == 64 else {}
    output = [] if "--output" in words else ["--output", str(tmp_path / "out")]
    result = run("download", *(word.format(file=file) for word in words), *output, "--attempts", "1", **token)
    assert (result.returncode, result.stderr) == (code, f"error: {sentence.format(file=file)}\n")


def test_an_empty_list_of_addresses_is_refused(tmp_path: Path) -> None:
    result = run("download", "--output", str(tmp_path), DATA_URLS="")
    assert result.returncode == exitcodes.USAGE
    assert "No URLs provided" in result.stderr


def test_an_unknown_option_is_a_usage_error() -> None:
    assert run("pull", "--nonsense").returncode == exitcodes.USAGE


def test_log_lines_can_be_json(tmp_path: Path) -> None:
    source = tmp_path / "f.csv"
    source.write_text("text\nhello\n")
    mirrors = tmp_path / "m.yaml"
    mirrors.write_text(f"urls: {{'https://example.test/f.csv': {source}}}")
    environment = {"KAITO_MIRRORS": str(mirrors), "KAITO_LOG_FORMAT": "json"}
    result = run("download", "https://example.test/f.csv", "--output", str(tmp_path / "out"), **environment)
    assert result.returncode == 0, result.stderr
    first, last = result.stdout.splitlines()
    assert json.loads(first)["event"] == "downloaded"
    assert last == "All downloads completed successfully"


def test_contract_paths_lie_beneath_the_containers_root() -> None:
    environment = {"KAITO_CONTAINER_ROOT": "/srv/c1"}
    assert paths.locate("/mnt/data", environment) == Path("/srv/c1/mnt/data")
    assert paths.locate("/srv/c1/mnt/data", environment) == Path("/srv/c1/mnt/data")
    assert paths.locate("data", environment) == Path("data")
    assert paths.locate("/mnt/data", {}) == Path("/mnt/data")


def test_permanent_codes_are_those_that_retrying_cannot_change() -> None:
    assert set(exitcodes.PERMANENT) == {2, 64, 65, 66, 77}
