"""An OCI registry on loopback that demands credentials for everything (OCI distribution specification 1.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from aiohttp import web

from kaito.embedded.registry.errors import RegistryError
from kaito.embedded.registry.storage import CHUNK, Storage

MANIFEST_LIMIT = 4 << 20
"""Bytes of the largest manifest taken, the specification's minimum for registries."""
_ROUTE = re.compile(r"/v2/(?P<name>.+)/(?P<kind>blobs|manifests|tags|referrers)/(?P<rest>.*)")
_UPLOAD_RANGE = re.compile(r"(?:bytes[ =])?(\d+)-(\d+)(?:/\d+)?")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Credentials:
    """One account of the registry."""

    username: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of the `Authorization` header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class RegistryServer:
    """The registry: `start` gives its base URL. Content survives in `root`."""

    def __init__(self, root: Path, credentials: Credentials) -> None:
        self.storage = Storage(root)
        self.url: str | None = None
        self._credentials = credentials
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; the URL it answers on. OSError when the port is taken."""
        app = web.Application(middlewares=[self._guard], client_max_size=MANIFEST_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._dispatch)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        bound = runner.addresses[0][1]
        self.url = f"http://{host}:{bound}"
        return self.url

    async def stop(self) -> None:
        """Stop listening; connections under way are cut after a second."""
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._authenticate(request)
            answer = await handler(request)
        except RegistryError as error:
            answer = web.Response(
                status=error.status, body=orjson.dumps(error.body), headers={"Content-Type": "application/json"}
            )
            if error.status == 401:
                answer.headers["WWW-Authenticate"] = 'Basic realm="kaito-registry"'
        if not answer.prepared:
            answer.headers["Docker-Distribution-API-Version"] = "registry/2.0"
        return answer

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise RegistryError("UNAUTHORIZED", "authentication required")
        try:
            given = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            given = b""
        expected = f"{self._credentials.username}:{self._credentials.password}".encode()
        # Digests have one length, so that the comparison tells nothing about the lengths either.
        if not hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest()):
            raise RegistryError("UNAUTHORIZED", "the user name or password is wrong")

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path in ("/v2", "/v2/"):
            return web.json_response({})
        if path == "/v2/_catalog":
            return self._page(request, "repositories", self.storage.repositories())
        match = _ROUTE.fullmatch(path)
        if not match:
            raise RegistryError("NAME_UNKNOWN", f"{path} is no address of the registry API")
        name, kind, rest = match["name"], match["kind"], match["rest"]
        if kind == "blobs" and (rest == "uploads" or rest.startswith("uploads/")):
            return await self._upload(request, name, rest.removeprefix("uploads").strip("/"))
        if kind == "blobs":
            return self._blob(request, name, rest)
        if kind == "manifests":
            return await self._manifest(request, name, rest)
        if kind == "tags" and rest == "list" and request.method == "GET":
            return self._page(request, "tags", self.storage.tags(name), name=name)
        if kind == "referrers" and request.method == "GET":
            return self._referrers(name, rest)
        raise RegistryError("UNSUPPORTED", f"{request.method} is not supported here")

    def _blob(self, request: web.Request, name: str, digest: str) -> web.StreamResponse:
        if request.method == "DELETE":
            self.storage.delete_blob(name, digest)
            return web.Response(status=202)
        if request.method not in ("GET", "HEAD"):
            raise RegistryError("UNSUPPORTED", f"{request.method} is not supported for blobs")
        path = self.storage.blob_path(name, digest)
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        # FileResponse answers Range requests, so that an interrupted pull can go on.
        return web.FileResponse(path, chunk_size=CHUNK, headers=headers)

    async def _upload(self, request: web.Request, name: str, upload: str) -> web.StreamResponse:
        digest = request.query.get("digest")
        if not upload:
            if request.method != "POST":
                raise RegistryError("UNSUPPORTED", f"{request.method} is not supported for uploads")
            self.storage.check_name(name)
            mount, source = request.query.get("mount"), request.query.get("from")
            if mount and source and self.storage.mount_blob(name, mount, source):
                return self._created(name, mount)
            upload = self.storage.start_upload()
            if not digest:
                return self._accepted(name, upload, 0)
        elif request.method == "DELETE":
            self.storage.upload_path(upload).unlink()
            return web.Response(status=204)
        elif request.method == "GET":
            return self._accepted(name, upload, self.storage.upload_path(upload).stat().st_size, status=204)
        elif request.method not in ("PATCH", "PUT"):
            raise RegistryError("UNSUPPORTED", f"{request.method} is not supported for uploads")
        size = await self._receive(request, upload)
        if request.method == "PATCH":
            return self._accepted(name, upload, size)
        if not digest:
            raise RegistryError("DIGEST_INVALID", "the request that ends an upload needs ?digest=")
        self.storage.finish_upload(upload, name, digest)
        return self._created(name, digest)

    async def _receive(self, request: web.Request, upload: str) -> int:
        """Append the request's body to the upload; returns the bytes it has now."""
        path = self.storage.upload_path(upload)
        present = path.stat().st_size
        announced = _UPLOAD_RANGE.fullmatch(request.headers.get("Content-Range", ""))
        if announced and int(announced[1]) != present:
            message = f"the upload has {present} bytes, so the next chunk must start there"
            raise RegistryError("RANGE_INVALID", message)
        with path.open("ab") as stream:
            try:
                async for chunk in request.content.iter_chunked(CHUNK):
                    stream.write(chunk)
            except BaseException:
                stream.truncate(present)  # A broken-off chunk must not count: the client sends it again.
                raise
        return path.stat().st_size

    async def _manifest(self, request: web.Request, name: str, reference: str) -> web.StreamResponse:
        if request.method == "PUT":
            content = await request.read()
            media_type = request.headers.get("Content-Type", "application/vnd.oci.image.manifest.v1+json")
            self._check_manifest(name, content)
            digest = self.storage.put_manifest(name, reference, content, media_type)
            headers = {"Location": f"/v2/{name}/manifests/{digest}", "Docker-Content-Digest": digest}
            subject = orjson.loads(content).get("subject") or {}
            if subject.get("digest"):
                headers["OCI-Subject"] = subject["digest"]
            return web.Response(status=201, headers=headers)
        if request.method == "DELETE":
            self.storage.delete_manifest(name, reference)
            return web.Response(status=202)
        if request.method not in ("GET", "HEAD"):
            raise RegistryError("UNSUPPORTED", f"{request.method} is not supported for manifests")
        digest, media_type, content = self.storage.manifest(name, reference)
        return web.Response(body=content, headers={"Content-Type": media_type, "Docker-Content-Digest": digest})

    def _check_manifest(self, name: str, content: bytes) -> None:
        """A manifest is JSON, and everything it names must be there already."""
        try:
            manifest = orjson.loads(content)
            entries = [manifest["config"], *manifest["layers"]] if "config" in manifest else []
            digests = [str(entry["digest"]) for entry in entries]
            children = [str(entry["digest"]) for entry in manifest.get("manifests") or ()]
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
            raise RegistryError("MANIFEST_INVALID", "the body is not an image manifest or index") from error
        for digest in digests:
            try:
                self.storage.blob_path(name, digest)
            except RegistryError as error:
                message = f"the manifest names blob {digest}, which was not pushed"
                raise RegistryError("MANIFEST_BLOB_UNKNOWN", message, detail={"digest": digest}) from error
        for digest in children:
            self.storage.manifest(name, digest)

    def _referrers(self, name: str, digest: str) -> web.Response:
        entries = []
        for own, media_type, content in self.storage.manifests(name):
            manifest = orjson.loads(content)
            if (manifest.get("subject") or {}).get("digest") != digest:
                continue
            artifact = manifest.get("artifactType") or (manifest.get("config") or {}).get("mediaType")
            entry = {"mediaType": media_type, "digest": own, "size": len(content), "artifactType": artifact}
            entries.append(entry | {"annotations": manifest.get("annotations") or {}})
        media_type = "application/vnd.oci.image.index.v1+json"
        index = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
        return web.Response(body=orjson.dumps(index), headers={"Content-Type": media_type})

    def _page(self, request: web.Request, field_name: str, entries: list[str], **more: str) -> web.Response:
        last, limit = request.query.get("last", ""), request.query.get("n", "")
        rest = [entry for entry in entries if entry > last]
        page = rest[: int(limit)] if limit.isdigit() else rest
        answer = web.json_response({**more, field_name: page})
        if page and len(page) < len(rest):
            answer.headers["Link"] = f'<{request.path}?n={limit}&last={page[-1]}>; rel="next"'
        return answer

    def _accepted(self, name: str, upload: str, size: int, *, status: int = 202) -> web.Response:
        headers = {
            "Location": f"/v2/{name}/blobs/uploads/{upload}",
            "Docker-Upload-UUID": upload,
            "Range": f"0-{max(0, size - 1)}",
        }
        return web.Response(status=status, headers=headers)

    def _created(self, name: str, digest: str) -> web.Response:
        headers = {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest}
        return web.Response(status=201, headers=headers)
