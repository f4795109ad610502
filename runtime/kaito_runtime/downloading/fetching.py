"""Fetching one file: retries, resuming, limits, and no half files under their final name."""

import contextlib
import hashlib
import os
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from kaito_runtime.errors import BadConfig, BadData, NotFound, Refused, UsageFailure
from kaito_runtime.mirrors import MirrorMap, mirrored_path
from kaito_runtime.reporting import log
from kaito_runtime.transfer.addresses import shown
from kaito_runtime.transfer.retrying import PASSING_STATUS, Passing, Patience, cause, patiently, retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

_SAY_EVERY: Final = 5.0
"""Seconds between progress lines of a long download."""
_HUB_HOSTS: Final = ("huggingface.co", "hf.co")


@dataclass(frozen=True)
class Limits:
    """max_bytes: largest file that is kept; None for no limit. sha256: hexadecimal digest that the file must have."""

    max_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Fetcher:
    """Fetches files. token: for the hub's hosts only, never shown. Mirrors are asked first."""

    client: "httpx.Client"
    mirrors: MirrorMap = field(default_factory=MirrorMap)
    patience: Patience = field(default_factory=Patience)
    token: str | None = field(default=None, repr=False)

    def fetch(self, url: str, place: Path, limits: Limits | None = None) -> int:
        """Put the file at `url` at `place`, whole or not at all; return its size in bytes.

        An interrupted transfer goes on where it stopped, also in a later process. Raises NotFound, Refused, BadData
        (empty, too large, wrong digest, a web page), Unavailable, and UsageFailure for a place that is a folder, each
        with the URL.
        """
        limits = limits or Limits()
        if place.is_dir():
            raise UsageFailure(f"{place} is a folder, so {shown(url)} cannot be kept under this name")
        target = self.mirrors.find(url)
        if target is not None:
            local = mirrored_path(target.address)
            if local is not None or target.address.startswith("tiny:"):
                return self._copy(url, local or _stand_in(target.address), target.rest, place, limits)
            url = target.joined
        part = _Part(place)
        patiently(shown(url), lambda: self._attempt(url, part, limits), self.patience)
        size = part.path.stat().st_size
        if size == 0:
            part.discard()
            raise BadData(f"{shown(url)} is empty")
        _check_digest(part.path, url, limits, part.discard)
        part.finish()
        return size

    def _attempt(self, url: str, part: "_Part", limits: Limits) -> None:
        import httpx

        have = part.size()
        headers = {"Accept-Encoding": "identity"}
        if have and part.validator:
            headers |= {"Range": f"bytes={have}-", "If-Range": part.validator}
        if self.token and _is_hub(url):
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            with self.client.stream("GET", url, headers=headers) as response:
                if response.status_code == 416 and have:
                    part.discard()
                    raise Passing(f"{shown(url)} has changed while it was fetched")
                _check_status(response, url)
                _check_kind(response, url)
                resumed = response.status_code == 206 and _starts_at(response, have)
                if not resumed:
                    part.discard()
                elif have:
                    log("download-resumed", url=shown(url), bytes=have)
                part.remember(_validator(response))
                part.append(response, url, limits)
        except httpx.InvalidURL as error:
            raise BadConfig(f"{shown(url)} is not a usable address: {error}") from error
        except httpx.TooManyRedirects as error:
            raise BadData(f"{shown(url)} redirects without end") from error
        except httpx.UnsupportedProtocol as error:
            raise BadData(f"{shown(url)} redirects to something that is not http(s)") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Passing(f"{shown(url)} cannot be fetched: {cause(error)}") from error

    def _copy(self, url: str, source: Path, rest: str, place: Path, limits: Limits) -> int:
        """Put a mirrored local file at `place`; `rest` never leads out of its folder."""
        path = source / rest if rest else source
        if rest and source.resolve() not in path.resolve().parents:
            raise NotFound(f"{shown(url)} leads out of its mirror {source}")
        if not path.is_file():
            raise NotFound(f"{shown(url)} is mirrored by {path}, which is not a file")
        size = path.stat().st_size
        if size == 0:
            raise BadData(f"{shown(url)} (mirrored by {path}) is empty")
        if limits.max_bytes is not None and size > limits.max_bytes:
            raise BadData(f"{shown(url)} has {size} bytes, more than the {limits.max_bytes} allowed")
        part = _Part(place)
        part.discard()
        shutil.copyfile(path, part.path)
        _check_digest(part.path, url, limits, part.discard)
        part.finish()
        return size


class _Part:
    """The unfinished file beside its final place, with the validator of the version that it is a part of."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.path = place.with_name(f".{place.name}.part")
        self._note = place.with_name(f".{place.name}.part-of")
        for path in (self.path, self._note):
            if path.is_symlink():
                path.unlink()

    @property
    def validator(self) -> str | None:
        """The strong ETag or date of the version begun, or None when it cannot be resumed."""
        with contextlib.suppress(OSError):
            return self._note.read_text(encoding="utf-8") or None
        return None

    def size(self) -> int:
        with contextlib.suppress(OSError):
            return self.path.stat().st_size
        return 0

    def remember(self, validator: str | None) -> None:
        if validator and not validator.startswith("W/"):
            self._note.write_text(validator, encoding="utf-8")
        else:
            self._note.unlink(missing_ok=True)

    def append(self, response: "httpx.Response", url: str, limits: Limits) -> None:
        """Write the body behind what is there. Raises BadData once it is too large or turns out to be a web page."""
        size = self.size()
        declared = int(response.headers.get("content-length") or 0)
        self._check_size(size + declared, url, limits)
        said = time.monotonic()
        with self.path.open("ab") as file:
            for chunk in response.iter_bytes():
                if size == 0:
                    _check_page(chunk, url)
                size += len(chunk)
                self._check_size(size, url, limits)
                file.write(chunk)
                if time.monotonic() - said > _SAY_EVERY:
                    said = time.monotonic()
                    log("downloading", url=shown(url), bytes=size)

    def _check_size(self, size: int, url: str, limits: Limits) -> None:
        if limits.max_bytes is not None and size > limits.max_bytes:
            self.discard()
            raise BadData(f"{shown(url)} has more than the {limits.max_bytes} bytes allowed")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self) -> None:
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(self._place)
        self._note.unlink(missing_ok=True)


def _check_status(response: "httpx.Response", url: str) -> None:
    status, reason = response.status_code, response.reason_phrase
    if status in (200, 206):
        return
    if status in (404, 410):
        raise NotFound(f"{shown(url)} does not exist ({status} {reason})")
    if status in (401, 403, 407):
        raise Refused(f"{shown(url)} is refused ({status} {reason})")
    sentence = f"{shown(url)} answered {status} {reason}"
    if status in PASSING_STATUS:
        raise Passing(sentence, retry_after=retry_after_seconds(response.headers.get("retry-after")))
    raise BadData(sentence)


def _check_kind(response: "httpx.Response", url: str) -> None:
    if response.headers.get("content-type", "").startswith("text/html") and not _wants_page(url):
        raise BadData(f"{shown(url)} answered with a web page instead of data; is it the address of the file itself?")


def _check_page(head: bytes, url: str) -> None:
    if not _wants_page(url) and re.match(rb"\s*<(!doctype html|html)", head[:512].lower()):
        raise BadData(f"{shown(url)} answered with a web page instead of data; is it the address of the file itself?")


def _wants_page(url: str) -> bool:
    return urlsplit(url).path.lower().endswith((".html", ".htm"))


def _check_digest(path: Path, url: str, limits: Limits, discard: "Callable[[], None]") -> None:
    if limits.sha256 is None:
        return
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != limits.sha256.lower():
        discard()
        raise BadData(f"{shown(url)} has the sha256 {actual}, expected {limits.sha256.lower()}")


def _validator(response: "httpx.Response") -> str | None:
    """Return what the version of the file is known by; None for one that was compressed, whose bytes are not ours."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return None
    found: str | None = response.headers.get("etag") or response.headers.get("last-modified")
    return found


def _starts_at(response: "httpx.Response", offset: int) -> bool:
    found = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    return found is not None and int(found.group(1)) == offset


def _is_hub(url: str) -> bool:
    host = (urlsplit(url).hostname or "").lower()
    return urlsplit(url).scheme == "https" and any(host == name or host.endswith("." + name) for name in _HUB_HOSTS)


def _stand_in(address: str) -> Path:
    from kaito_runtime.models.building import stand_in

    return stand_in(address.removeprefix("tiny:"))
