"""Models by their Hugging Face ids: from a hub, from its cache, or refused; `kaito-runtime download` as a process."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789" * 4
FILES = {
    "config.json": b"{}",
    "model.safetensors.index.json": b'{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}',
    "model-1.safetensors": b"first",
    "model-2.safetensors": b"second",
    "pytorch_model.bin": b"the same again",
}


class Hub:
    """The part of the hub's API that fetching a repository uses. broken: files that it fails to send."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_GET

            def log_message(self, *args: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.split("?")[0]
        self.asked.append(f"{handler.command} {path}")
        if "/team/" in path:
            self.tokens.add(handler.headers.get("authorization"))
        name = path.rpartition("/")[2]
        if path.startswith("/api/models/team/gated"):
            self.reply(handler, 403, b"", **{"X-Error-Code": "GatedRepo"})
        elif path in ("/api/models/team/model/revision/main", f"/api/models/team/model/revision/{COMMIT}"):
            about = {"id": "team/model", "sha": COMMIT, "siblings": [{"rfilename": file} for file in FILES]}
            self.reply(handler, 200, json.dumps(about).encode())
        elif path == f"/api/models/team/model/tree/{COMMIT}":
            entries = [{"type": "file", "path": file, "size": len(FILES[file]), "oid": file} for file in FILES]
            self.reply(handler, 200, json.dumps(entries).encode())
        elif path.startswith("/api/models/team/model/revision/"):
            self.reply(handler, 404, b"", **{"X-Error-Code": "RevisionNotFound"})
        elif path == f"/team/model/resolve/{COMMIT}/{name}" and name not in self.broken:
            self.reply(handler, 200, FILES[name], **{"X-Repo-Commit": COMMIT, "ETag": f'"{name}"'})
        elif name in self.broken:
            self.reply(handler, 400, b"")  # the client is patient with 5xx
        else:
            self.reply(handler, 404, b"", **{"X-Error-Code": "RepoNotFound"})

    def reply(self, handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
        handler.send_response(status)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


def download(hub: Hub, folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(folder / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": "hf_s3cret",
    }
    return subprocess.run(
        [sys.executable, "-m", "kaito_runtime", "download", "--output", str(folder / "out"), "--model", *words],
        capture_output=True,
        text=True,
        env=os.environ | settings | environment,
    )


def test_a_repository_is_fetched_once_without_weights_of_other_formats(hub: Hub, tmp_path: Path) -> None:
    result = download(hub, tmp_path, "team/model")
    assert result.returncode == 0, result.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        name: content for name, content in FILES.items() if not name.endswith(".bin")
    }
    assert hub.tokens == {"Bearer hf_s3cret"}
    hub.asked.clear()
    assert download(hub, tmp_path, "team/model").returncode == 0
    assert hub.asked == []


def test_a_download_that_was_broken_off_is_completed_the_next_time(hub: Hub, tmp_path: Path) -> None:
    hub.broken.add("model-2.safetensors")
    result = download(hub, tmp_path, "team/model")
    assert result.returncode == 69
    assert "s3cret" not in result.stdout + result.stderr
    hub.broken.clear()
    result = download(hub, tmp_path, "team/model")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "model-2.safetensors").read_bytes() == b"second"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["team/none"], 66, "the hub has no repository team/none, or HF_TOKEN has no access to it"),
        (["team/gated"], 77, "the hub refuses team/gated: accept its licence there and set HF_TOKEN"),
        (["team/model", "--revision", "v9"], 66, "team/model has no revision 'v9' on the hub"),
    ],
)
def test_what_the_hub_does_not_give_is_one_sentence(
    hub: Hub, tmp_path: Path, words: list[str], code: int, sentence: str
) -> None:
    result = download(hub, tmp_path, *words)
    assert (result.returncode, result.stderr) == (code, f"error: {sentence}\n")
