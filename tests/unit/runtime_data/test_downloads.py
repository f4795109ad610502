import gzip
import hashlib
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from kaito_runtime.downloading.fetching import Fetcher, Limits
from kaito_runtime.errors import BadData, NotFound, Refused, Unavailable, UsageFailure
from kaito_runtime.mirrors import MirrorMap
from kaito_runtime.transfer.retrying import Patience

BODY = os.urandom(1000)


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def fetcher(pauses: list[float]) -> Iterator[Fetcher]:
    with httpx.Client(follow_redirects=True) as client:
        yield Fetcher(client, patience=Patience(attempts=3, spread=0, sleep=pauses.append), token="hf_secret")


def test_a_file_is_fetched_whole(site: Any, fetcher: Fetcher, tmp_path: Path) -> None:
    url = site.serve("/train.parquet", BODY)
    assert fetcher.fetch(url + "?download=true", tmp_path / "train.parquet") == len(BODY)
    assert (tmp_path / "train.parquet").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["train.parquet"]


@pytest.mark.parametrize(
    ("status", "error"), [(404, NotFound), (410, NotFound), (401, Refused), (403, Refused), (400, BadData)]
)
def test_an_answer_that_will_not_change_is_not_asked_for_again(
    site: Any, fetcher: Fetcher, tmp_path: Path, status: int, error: type[Exception]
) -> None:
    url = site.serve("/x", b"no", status=status)
    with pytest.raises(error, match=rf"{url}.*{status}"):
        fetcher.fetch(url, tmp_path / "x")
    assert len(site.requests) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_passing_failure_is_tried_again_with_growing_pauses(
    site: Any, fetcher: Fetcher, tmp_path: Path, pauses: list[float]
) -> None:
    url = site.serve("/x", b"busy", status=503)
    with pytest.raises(Unavailable, match=r"answered 503 Service Unavailable \(tried 3 times\)"):
        fetcher.fetch(url, tmp_path / "x")
    assert pauses == [1.0, 2.0]


def test_retry_after_is_heeded(site: Any, fetcher: Fetcher, tmp_path: Path, pauses: list[float]) -> None:
    url = site.serve("/x", b"busy", status=429, Retry_After="7")
    with pytest.raises(Unavailable):
        fetcher.fetch(url, tmp_path / "x")
    assert pauses == [7.0, 7.0]


def test_a_server_that_is_not_there_is_named(fetcher: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1/x cannot be fetched"):
        fetcher.fetch("http://127.0.0.1:1/x", tmp_path / "x")


def _breaking(body: bytes, at: int) -> Any:
    """An answer that breaks off after `at` bytes the first time, and honours ranges afterwards."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        handler.send_response(206 if wanted else 200)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if wanted:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.send_header("ETag", '"v1"')
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        handler.wfile.write(body[start:] if wanted else body[:at])
        handler.close_connection = True

    return answer


def test_a_broken_transfer_goes_on_where_it_stopped(site: Any, fetcher: Fetcher, tmp_path: Path) -> None:
    site.answers["/x"] = _breaking(BODY, 400)
    fetcher.fetch(site.url + "/x", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == BODY
    assert [headers.get("range") for _, headers in site.requests] == [None, "bytes=400-"]
    assert site.requests[1][1]["if-range"] == '"v1"'


def test_a_later_process_goes_on_too(site: Any, fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / ".x.part").write_bytes(BODY[:123])
    (tmp_path / ".x.part-of").write_text('"v1"')
    site.answers["/x"] = _breaking(BODY, 0)
    fetcher.fetch(site.url + "/x", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == BODY
    assert site.requests[0][1]["range"] == "bytes=123-"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_what_cannot_be_resumed_starts_over(site: Any, fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / ".x.part").write_bytes(b"old content")
    fetcher.fetch(site.serve("/x", BODY), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == BODY


def test_an_empty_file_is_refused(site: Any, fetcher: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="is empty"):
        fetcher.fetch(site.serve("/x", b""), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_is_not_taken_for_data(site: Any, fetcher: Fetcher, tmp_path: Path, kind: str) -> None:
    url = site.serve("/train.parquet", b"<!DOCTYPE html><html>Sign in</html>", Content_Type=kind)
    with pytest.raises(BadData, match="web page"):
        fetcher.fetch(url, tmp_path / "x")


def test_limits_hold(site: Any, fetcher: Fetcher, tmp_path: Path) -> None:
    url = site.serve("/x", BODY)
    with pytest.raises(BadData, match="more than the 999 bytes allowed"):
        fetcher.fetch(url, tmp_path / "x", Limits(max_bytes=999))
    with pytest.raises(BadData, match="sha256"):
        fetcher.fetch(url, tmp_path / "x", Limits(sha256="0" * 64))
    assert list(tmp_path.iterdir()) == []
    fetcher.fetch(url, tmp_path / "x", Limits(max_bytes=1000, sha256=hashlib.sha256(BODY).hexdigest()))


def test_the_hub_token_goes_to_the_hub_only(site: Any, fetcher: Fetcher, tmp_path: Path) -> None:
    fetcher.fetch(site.serve("/x", BODY), tmp_path / "x")
    assert "authorization" not in site.requests[0][1]


def test_signatures_in_an_address_are_not_shown(fetcher: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        fetcher.fetch("http://me:pw@127.0.0.1:1/x?sig=abc&download=true", tmp_path / "x")
    assert "http://127.0.0.1:1/x?sig=…&download=true" in str(caught.value)
    assert "pw" not in str(caught.value)


def test_a_link_left_in_the_folder_is_not_written_through(site: Any, fetcher: Fetcher, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / ".x.part").symlink_to(outside)
    (folder / "x").symlink_to(outside)
    fetcher.fetch(site.serve("/x", BODY), folder / "x")
    assert outside.read_text() == "mine"
    assert (folder / "x").read_bytes() == BODY


def test_a_mirror_is_asked_first(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.txt").write_text("mirrored")
    (tmp_path / "secret").write_text("secret")
    mirrors = MirrorMap({"https://example.test/x/": str(tmp_path / "tree")})
    with httpx.Client() as client:
        fetcher = Fetcher(client, mirrors)
        fetcher.fetch("https://example.test/x/a.txt?download=true", tmp_path / "out")
        assert (tmp_path / "out").read_text() == "mirrored"
        with pytest.raises(NotFound, match="leads out of its mirror"):
            fetcher.fetch("https://example.test/x/%2e%2e/secret", tmp_path / "out")


def test_a_name_that_is_a_folder_is_refused(site: Any, fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(UsageFailure, match="x is a folder"):
        fetcher.fetch(site.serve("/x", BODY), tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_transfer_that_was_compressed_against_our_wish_is_not_resumed(
    site: Any, fetcher: Fetcher, tmp_path: Path
) -> None:
    packed = gzip.compress(BODY)

    def broken(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for key, value in (("Content-Encoding", "gzip"), ("ETag", '"1"'), ("Content-Length", str(len(packed)))):
            handler.send_header(key, value)
        handler.end_headers()
        whole = len([path for path, _ in site.requests if path == "/x"]) > 1
        handler.wfile.write(packed if whole else packed[: len(packed) // 2])
        handler.close_connection = True

    site.answers["/x"] = broken
    fetcher.fetch(f"{site.url}/x", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == BODY
    assert "range" not in site.requests[1][1]
