import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from kaito_runtime.transfer.retrying import Patience


@dataclass
class FakeRegistry:
    """An OCI registry in memory, as an httpx transport.

    scheme: none, basic or bearer. password: of the only user `u`. faults: statuses (or exceptions) that the next
    requests get. requests: method and path of each.
    """

    scheme: str = "basic"
    password: str = "pw"
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    faults: list[int | Exception] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests.append(f"{request.method} {path}")
        if path == "/token":
            granted = request.headers.get("authorization") == self._basic()
            return httpx.Response(200, json={"token": "good" if granted else "poor"})
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return httpx.Response(fault, json={"errors": [{"code": "BUSY", "message": "try later"}]})
        if not self._allowed(request):
            challenge = {
                "basic": 'Basic realm="fake"',
                "bearer": f'Bearer realm="{request.url.copy_with(path="/token", query=None)}",service="s",scope="x"',
            }[self.scheme]
            body = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
            return httpx.Response(401, headers={"WWW-Authenticate": challenge}, json=body)
        return self._answer(request, path)

    def _basic(self) -> str:
        from kaito_runtime.images.credentials import Credential

        return Credential("u", self.password, "").basic

    def _allowed(self, request: httpx.Request) -> bool:
        shown = request.headers.get("authorization")
        return self.scheme == "none" or shown == {"basic": self._basic(), "bearer": "Bearer good"}[self.scheme]

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+(?:/.*)?)", path)
        assert found, path
        name, kind, rest = found.groups()
        if kind == "manifests" and request.method == "PUT":
            digest = "sha256:" + hashlib.sha256(request.content).hexdigest()
            entry = (request.headers["content-type"], request.content)
            self.manifests[f"{name}:{rest}"] = self.manifests[f"{name}:{digest}"] = entry
            return httpx.Response(201)
        if kind == "manifests":
            stored = self.manifests.get(f"{name}:{rest}")
            if stored is None:
                return httpx.Response(404, json={"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]})
            return httpx.Response(200, headers={"Content-Type": stored[0]}, content=stored[1])
        if request.method == "DELETE":
            self.uploads.pop(rest.removeprefix("uploads/"))
            return httpx.Response(204)
        if request.method == "POST":
            key = f"up{len(self.uploads)}"
            self.uploads[key] = b""
            return httpx.Response(202, headers={"Location": f"/v2/{name}/blobs/uploads/{key}?state=1"})
        if request.method == "PATCH":
            key = rest.removeprefix("uploads/")
            start = int(request.headers["content-range"].split("-")[0])
            if start != len(self.uploads[key]):
                return httpx.Response(416)
            self.uploads[key] += request.content
            return httpx.Response(202, headers={"Location": f"/v2/{name}/blobs/uploads/{key}?state=2"})
        if request.method == "PUT":
            body = self.uploads.pop(rest.removeprefix("uploads/")) + request.content
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            if request.url.params["digest"] != digest:
                return httpx.Response(400, json={"errors": [{"code": "DIGEST_INVALID", "message": "digest"}]})
            self.blobs[digest] = body
            return httpx.Response(201)
        if rest not in self.blobs:
            return httpx.Response(404)
        return httpx.Response(200, content=self.blobs[rest] if request.method == "GET" else b"")

    def add_image(self, name: str, layers: list[bytes], *, tag: str = "1", media_type: str = "") -> None:
        """Put an image of these layers there, as another program would have pushed it."""
        oci = "application/vnd.oci.image.manifest.v1+json"
        entries = []
        for layer in layers:
            digest = "sha256:" + hashlib.sha256(layer).hexdigest()
            self.blobs[digest] = layer
            entries.append({"mediaType": "x", "digest": digest, "size": len(layer)})
        content = json.dumps({"schemaVersion": 2, "config": {}, "layers": entries}).encode()
        self.manifests[f"{name}:{tag}"] = (media_type or oci, content)


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def client(registry: FakeRegistry) -> Iterator[httpx.Client]:
    with httpx.Client(transport=httpx.MockTransport(registry), follow_redirects=True) as client:
        yield client


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def patience(pauses: list[float]) -> Patience:
    return Patience(attempts=3, spread=0, sleep=pauses.append)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"r": 16}')
    (folder / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 100)
    (folder / "README.md").write_text("not part of the image")
    return folder


@pytest.fixture
def docker_config(tmp_path: Path) -> Callable[[dict[str, dict[str, str]]], Path]:
    def write(auths: dict[str, dict[str, str]]) -> Path:
        path = tmp_path / "docker" / "config.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"auths": auths}))
        return path

    return write
