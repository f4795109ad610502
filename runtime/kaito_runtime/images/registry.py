"""One repository in a registry over the OCI distribution API, with Basic or Bearer authentication."""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from kaito_runtime.errors import BadData, NotFound, Refused, RuntimeFailure, shorten
from kaito_runtime.images.credentials import Credential
from kaito_runtime.images.references import DOCKER_HUB, Reference, is_digest
from kaito_runtime.mirrors import MirrorMap
from kaito_runtime.transfer.retrying import PASSING_STATUS, Passing, Patience, cause, patiently, retry_after_seconds

if TYPE_CHECKING:
    import httpx

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
_ACCEPTED: Final = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST))
_CHUNK: Final = 8 << 20
"""Bytes of one request while uploading."""
_LARGEST_MANIFEST: Final = 4 << 20


@dataclass
class Repository:
    """A repository as seen with one credential (None: anonymously).

    Every method tries again, with patience, what fails for a passing reason, and raises Unavailable with the address
    when that does not help; NotFound and Refused carry the registry's own status and reason.
    """

    client: "httpx.Client"
    reference: Reference
    credential: Credential | None = None
    mirrors: MirrorMap = field(default_factory=MirrorMap)
    patience: Patience = field(default_factory=Patience)
    chunk: int = _CHUNK
    _authorization: str | None = field(default=None, init=False, repr=False)

    @property
    def address(self) -> str:
        """Where the repository lives, up to its name: `https://host/v2/name`."""
        base = self.mirrors.registry_base(self.reference.registry)
        if base is None:
            host = "registry-1.docker.io" if self.reference.registry == DOCKER_HUB else self.reference.registry
            name = host.rsplit(":", 1)[0]
            plain = name == "localhost" or name.startswith("127.") or name == "[::1]"
            base = f"{'http' if plain else 'https'}://{host}"
        parts = urlsplit(base)
        return f"{parts.scheme}://{parts.netloc}/v2{parts.path}/{self.reference.repository}"

    def manifest(self, version: str, *, depth: int = 0) -> tuple[dict[str, Any], str]:
        """Return the image manifest of a tag or digest, and its digest; of an index, the first image's for Linux.

        Raises BadData when the content does not have the digest that was asked for, or is no image manifest.
        """
        content = self._read(f"/manifests/{version}", most=_LARGEST_MANIFEST)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if version.startswith("sha256:") and version != digest:
            raise BadData(f"{self.reference}: the registry sent a manifest with the digest {digest}, not {version}")
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise BadData(f"{self.reference}: the registry sent a manifest that is not JSON") from error
        if not isinstance(document, dict):
            raise BadData(f"{self.reference}: the registry sent no image manifest")
        if isinstance(document.get("manifests"), list) and depth == 0:
            return self.manifest(_choose(document["manifests"], str(self.reference)), depth=1)
        if not isinstance(document.get("layers"), list):
            raise BadData(f"{self.reference}: the registry sent no image manifest")
        return document, digest

    def download(self, digest: str, place: Path, *, size: int | None = None) -> None:
        """Put the blob `digest` at `place`. Raises BadData when what came has another digest or size."""

        def attempt() -> None:
            with self._open("GET", f"/blobs/{digest}") as response, place.open("wb") as file:
                for chunk in response.iter_bytes(1 << 20):
                    file.write(chunk)
                    if size is not None and file.tell() > size:
                        return

        patiently(f"{self.address}/blobs/{digest}", attempt, self.patience)
        with place.open("rb") as file:
            actual = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        if actual != digest or (size is not None and place.stat().st_size != size):
            raise BadData(f"{self.reference}: a layer does not have the digest {digest} that the manifest names")

    def has_blob(self, digest: str) -> bool:
        """Whether the repository already holds the blob."""
        try:
            self._request("HEAD", f"/blobs/{digest}")
        except NotFound:
            return False
        return True

    def upload(self, path: Path, digest: str) -> None:
        """Put the blob in the file `path` into the repository, in chunks, unless it is there."""
        if not self.has_blob(digest):
            patiently(f"{self.address}/blobs/uploads/", lambda: self._upload(path, digest), self.patience)

    def try_upload(self) -> None:
        """Begin an upload and give it up: succeeds exactly where `upload` is allowed to."""
        location = self._location(self._request("POST", "/blobs/uploads/"))
        with contextlib.suppress(RuntimeFailure):  # some registries cannot cancel; they forget it by themselves
            self._request("DELETE", location)

    def _upload(self, path: Path, digest: str) -> None:
        with self._open("POST", "/blobs/uploads/") as started:
            location = self._location(started)
            least = started.headers.get("oci-chunk-min-length", "")
            chunk = max(self.chunk, int(least) if least.isdecimal() else 0)
        total = path.stat().st_size
        headers = {"Content-Type": "application/octet-stream"}
        with path.open("rb") as file:
            sent = 0
            while total - sent > chunk:
                data = file.read(chunk)
                span = {"Content-Range": f"{sent}-{sent + len(data) - 1}"}
                with self._open("PATCH", location, headers=headers | span, content=data) as response:
                    location = self._location(response)
                sent += len(data)
            joint = "&" if "?" in location else "?"
            with self._open("PUT", f"{location}{joint}digest={digest}", headers=headers, content=file.read()):
                pass

    def put_manifest(self, content: bytes, version: str, *, media_type: str = OCI_MANIFEST) -> None:
        """Put a manifest under a tag."""
        self._request("PUT", f"/manifests/{version}", headers={"Content-Type": media_type}, content=content)

    def _read(self, path: str, *, most: int) -> bytes:
        """Return a manifest. Raises BadData when it is larger than `most` bytes."""

        def attempt() -> bytes:
            content = bytearray()
            with self._open("GET", path, headers={"Accept": _ACCEPTED}) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > most:
                        raise BadData(f"{self.reference}: the registry sent a manifest of more than {most} bytes")
            return bytes(content)

        return patiently(f"GET {self.address}{path}", attempt, self.patience)

    def _location(self, response: "httpx.Response") -> str:
        return str(urljoin(str(response.url), response.headers.get("location", "")))

    def _request(self, method: str, path: str, **options: Any) -> "httpx.Response":
        """Return the response to a small request, read to its end."""

        def attempt() -> "httpx.Response":
            with self._open(method, path, **options) as response:
                response.read()
                return response

        return patiently(f"{method} {path if '://' in path else self.address + path}", attempt, self.patience)

    @contextlib.contextmanager
    def _open(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> "Iterator[httpx.Response]":
        """Open one request; raise Passing, NotFound, Refused or BadData for anything but success."""
        import httpx

        url = path if "://" in path else self.address + path
        own = urlsplit(url).netloc == urlsplit(self.address).netloc
        for second in (False, True):
            extra = {"Authorization": self._authorization} if self._authorization and own else {}
            try:
                with self.client.stream(method, url, headers={**(headers or {}), **extra}, content=content) as response:
                    if response.status_code == 401 and not second and own and self._authenticate(response):
                        continue
                    self._check(response)
                    yield response
                    return
            except httpx.InvalidURL as error:
                raise BadData(f"registry {self._host()} leads to an address that is none: {error}") from error
            except (httpx.TransportError, httpx.DecodingError) as error:
                raise Passing(f"registry {self._host()} cannot be reached: {cause(error)}") from error
            except httpx.TooManyRedirects as error:
                raise BadData(f"registry {self._host()} redirects without end") from error

    def _host(self) -> str:
        """The registry's name and, where a mirror stands in, its address."""
        address = urlsplit(self.address)
        base = f"{address.scheme}://{address.netloc}"
        return base if address.netloc == self.reference.registry else f"{self.reference.registry} ({base})"

    def _authenticate(self, response: "httpx.Response") -> bool:
        """Take up the registry's challenge; return whether there is something new to show."""
        challenge = response.headers.get("www-authenticate", "")
        scheme, _, rest = challenge.partition(" ")
        before = self._authorization
        if scheme.lower() == "basic":
            self._authorization = self.credential.basic if self.credential else None
        elif scheme.lower() == "bearer":
            parameters = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            self._authorization = f"Bearer {self._token(parameters)}"
        return self._authorization is not None and self._authorization != before

    def _token(self, parameters: Mapping[str, str]) -> str:
        """Return a bearer token from the registry's token service. Raises Refused when it gives none."""
        import httpx

        realm = parameters.get("realm", "")
        if urlsplit(realm).scheme not in ("http", "https"):
            raise Refused(f"registry {self._host()} names no usable token service")
        wanted = {key: parameters[key] for key in ("service", "scope") if parameters.get(key)}
        try:
            if self.credential and self.credential.identity_token:
                grant = {"grant_type": "refresh_token", "refresh_token": self.credential.identity_token}
                response = self.client.post(realm, data={**wanted, **grant, "client_id": "kaito-runtime"})
            else:
                headers = {"Authorization": self.credential.basic} if self.credential else {}
                response = self.client.get(realm, params=wanted, headers=headers)
        except httpx.TransportError as error:
            raise Passing(f"the token service {realm} cannot be reached: {cause(error)}") from error
        self._check(response)
        try:
            document = response.json()
            token = document.get("token") or document.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str) or not token:
            raise Refused(f"the token service {realm} gave no token")
        return token

    def _check(self, response: "httpx.Response") -> None:
        status = response.status_code
        if status < 400:
            return
        response.read()
        who = f" as in {self.credential.source}" if self.credential else " without credentials"
        said = f"{status} {response.reason_phrase}{_reason(response)}"
        if status in (401, 403):
            raise Refused(f"registry {self._host()} refuses {self.reference.repository}{who}: {said}")
        if status == 404:
            raise NotFound(f"registry {self._host()} does not know {self.reference}: {said}")
        if status in PASSING_STATUS:
            after = retry_after_seconds(response.headers.get("retry-after"))
            raise Passing(f"registry {self._host()} answered {said}", retry_after=after)
        raise RuntimeFailure(f"registry {self._host()} answered {said} for {self.reference}")


def _reason(response: "httpx.Response") -> str:
    """Return the registry's own words, if it has any."""
    try:
        first = response.json()["errors"][0]
        words = f"{first.get('code', '')}: {first.get('message', '')}".strip(": ")
        return f" ({shorten(words)})" if words else ""
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""


def _choose(manifests: list[Any], name: str) -> str:
    """Return the digest of the image for Linux on this machine's architecture, else of the first image."""
    import platform

    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    entries = [entry for entry in manifests if isinstance(entry, dict) and is_digest(entry.get("digest"))]

    def rank(entry: Mapping[str, Any]) -> tuple[bool, bool]:
        wanted = entry.get("platform") or {}
        return (wanted.get("os") not in ("linux", None), wanted.get("architecture") not in (machine, None))

    if not entries:
        raise BadData(f"{name}: the registry sent an index without images")
    return str(min(entries, key=rank)["digest"])
