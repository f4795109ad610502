"""Images change hands with other tools: skopeo, against the registry of the embedded cluster over HTTP."""

import asyncio
import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SKOPEO = shutil.which("skopeo")
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(SKOPEO is None, reason="skopeo is not installed (apt-get install skopeo)"),
]

ACCOUNT = "kaito:secret"
CONFIG = b'{"r": 16, "peft_type": "LORA"}'
WEIGHTS = bytes(range(256)) * 64


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """host:port of a running registry that wants the account."""
    server_module = pytest.importorskip("kaito.embedded.registry.server")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = server_module.RegistryServer(tmp_path / "registry", server_module.Credentials(*ACCOUNT.split(":")))
    url = asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
    try:
        yield url.removeprefix("http://")
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def docker(tmp_path: Path, host: str) -> Path:
    folder = tmp_path / "docker"
    folder.mkdir()
    auth = base64.b64encode(ACCOUNT.encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return folder


def skopeo(docker: Path, *words: str) -> str:
    """Run skopeo with the docker configuration, over plain HTTP and without a system-wide policy."""
    verb, *rest = words
    files = [f"--authfile={docker / 'config.json'}"]
    loose = ["--tls-verify=false"] if verb == "inspect" else ["--src-tls-verify=false", "--dest-tls-verify=false"]
    done = subprocess.run(
        [str(SKOPEO), "--insecure-policy", verb, *files, *loose, *rest],
        capture_output=True,
        text=True,
        timeout=500,
        env=os.environ | {"HOME": str(docker), "XDG_RUNTIME_DIR": str(docker), "TMPDIR": str(docker)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def runtime(docker: Path, *words: str) -> str:
    command = [sys.executable, "-m", "kaito_runtime", *words, "--docker-config", str(docker)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


Entry = tuple[str, bytes | None]


def tar(*entries: Entry) -> bytes:
    """A layer, not compressed: bytes are files, None a folder, `name -> target` a symbolic link, `=>` a hard one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in entries:
            plain, hard, target = name.partition(" => ")
            if not hard:
                plain, _, target = name.partition(" -> ")
            entry = tarfile.TarInfo(plain)
            if target:
                entry.type, entry.linkname = tarfile.LNKTYPE if hard else tarfile.SYMTYPE, target
            elif content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content) if content is not None else None)
    return buffer.getvalue()


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def layout(folder: Path, layers: list[bytes], *, annotations: dict[str, str] | None = None, **config: Any) -> Path:
    """An OCI layout with one image, tagged `it`. annotations: of the manifest; config: beside rootfs."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def store(content: bytes, kind: str, **more: Any) -> dict[str, Any]:
        (blobs / hashlib.sha256(content).hexdigest()).write_bytes(content)
        return {
            "mediaType": f"application/vnd.oci.image.{kind}",
            "digest": digest(content),
            "size": len(content),
            **more,
        }

    title = {"annotations": {"org.opencontainers.image.title": "layer.tar.gz"}} if annotations else {}
    root = {"rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}}
    if annotations:
        del root["rootfs"]["type"]  # type: ignore[arg-type]  # Kaito 0.12 writes the diff_ids and nothing else
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": store(json.dumps(config | root).encode(), "config.v1+json"),
        "layers": [store(gzip.compress(layer, 9), "layer.v1.tar+gzip", **title) for layer in layers],
        **({"annotations": annotations} if annotations else {}),
    }
    entry = store(json.dumps(manifest).encode(), "manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "it"}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return folder


BUSYBOX = tar(
    ("bin/", None),
    ("bin/busybox", b"\x7fELF" + b"x" * 5000),
    ("bin/sh => bin/busybox", None),
    ("bin/ls => bin/busybox", None),
    ("etc/", None),
    ("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
    ("lib64 -> lib", None),
    ("lib/", None),
    ("tmp/", None),
)
RUNNABLE = {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["sh"]}, "history": []}


def test_skopeo_reads_and_copies_what_push_pushed(host: str, docker: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_bytes(CONFIG)
    (adapter / "adapter_model.safetensors").write_bytes(WEIGHTS)
    image = f"{host}/adapters/facts:v1"
    runtime(docker, "push", image, "--from", str(adapter), "--annotation", "sh.kaito.model.name=phi-3")
    manifest = json.loads(skopeo(docker, "inspect", "--raw", f"docker://{image}"))
    assert manifest["annotations"]["sh.kaito.model.name"] == "phi-3"
    described = json.loads(skopeo(docker, "inspect", f"docker://{image}"))
    assert described["Layers"] == [manifest["layers"][0]["digest"]]
    skopeo(docker, "copy", f"docker://{image}", f"docker://{host}/mirror/facts:v1")
    skopeo(docker, "copy", f"docker://{image}", f"oci:{tmp_path / 'oci'}:v1")
    runtime(docker, "pull", f"{host}/mirror/facts:v1", "--output", str(tmp_path / "out"))
    expected = {"adapter_config.json": CONFIG, "adapter_model.safetensors": WEIGHTS}
    assert tree(tmp_path / "out") == expected
    runtime(docker, "pull", f"{image.removesuffix(':v1')}@{described['Digest']}", "--output", str(tmp_path / "again"))
    assert tree(tmp_path / "again") == expected


def test_an_image_of_kaito_0_12_that_skopeo_brings_can_be_pulled(host: str, docker: Path, tmp_path: Path) -> None:
    made = {"org.opencontainers.image.created": "2026-01-01T00:00:00Z", "sh.kaito.model.name": "phi-3"}
    data = tar(("data/", None), ("data/adapter_config.json", CONFIG), ("data/adapter_model.safetensors", WEIGHTS))
    source = layout(tmp_path / "layout", [data], annotations=made)
    skopeo(docker, "copy", f"oci:{source}:it", f"docker://{host}/adapters/oras:1")
    kept = json.loads(skopeo(docker, "inspect", "--raw", f"docker://{host}/adapters/oras:1"))
    assert kept["layers"][0]["annotations"] == {"org.opencontainers.image.title": "layer.tar.gz"}
    runtime(docker, "pull", f"{host}/adapters/oras:1", "--output", str(tmp_path / "out"))
    assert tree(tmp_path / "out") == {"adapter_config.json": CONFIG, "adapter_model.safetensors": WEIGHTS}


@pytest.mark.parametrize("kind", ["v2s2", "oci"])
def test_an_image_of_kaito_0_3_that_skopeo_brings_can_be_pulled(
    host: str, docker: Path, tmp_path: Path, kind: str
) -> None:
    """busybox, then one layer for each ADD; here also one that replaces and one that removes, as a rebuild leaves."""
    layers = [
        BUSYBOX,
        tar(
            ("data/", None), ("data/adapter_config.json", b"{}"), ("data/checkpoint/", None), ("data/checkpoint/x", b"")
        ),
        tar(("data/", None), ("data/adapter_model.safetensors", WEIGHTS), ("data/optimizer.pt", b"old")),
        tar(("data/", None), ("data/adapter_config.json", CONFIG), ("data/.wh.checkpoint", b"")),
        tar(("data/", None), ("data/.wh.optimizer.pt", b""), ("etc/.wh.passwd", b"")),
    ]
    source = layout(tmp_path / "layout", layers, **RUNNABLE)
    skopeo(docker, "copy", "--format", kind, f"oci:{source}:it", f"docker://{host}/adapters/docker:1")
    manifest = json.loads(skopeo(docker, "inspect", "--raw", f"docker://{host}/adapters/docker:1"))
    assert ("docker" in manifest["mediaType"]) is (kind == "v2s2")
    runtime(docker, "pull", f"{host}/adapters/docker:1", "--output", str(tmp_path / "out"))
    assert tree(tmp_path / "out") == {"adapter_config.json": CONFIG, "adapter_model.safetensors": WEIGHTS}


def test_an_image_that_skopeo_packed_with_zstd_can_be_pulled(host: str, docker: Path, tmp_path: Path) -> None:
    data = tar(("data/adapter_config.json", CONFIG), ("data/adapter_model.safetensors", WEIGHTS))
    source = layout(tmp_path / "layout", [BUSYBOX, data], **RUNNABLE)
    packed = tmp_path / "packed"
    skopeo(docker, "copy", f"oci:{source}:it", f"dir:{tmp_path / 'plain'}", "--dest-decompress")
    skopeo(
        docker,
        "copy",
        "--dest-compress-format",
        "zstd",
        "--dest-compress",
        f"dir:{tmp_path / 'plain'}",
        f"dir:{packed}",
    )
    skopeo(docker, "copy", f"dir:{packed}", f"docker://{host}/adapters/zstd:1")
    runtime(docker, "pull", f"{host}/adapters/zstd:1", "--output", str(tmp_path / "out"))
    assert tree(tmp_path / "out") == {"adapter_config.json": CONFIG, "adapter_model.safetensors": WEIGHTS}
