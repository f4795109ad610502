"""`kaito-runtime download`."""

import os
import re
from pathlib import Path
from typing import Annotated, Final

import typer

from kaito_runtime import __version__, paths
from kaito_runtime.errors import BadConfig, UsageFailure
from kaito_runtime.reporting import log

URLS_VARIABLE: Final = "DATA_URLS"


def download(
    urls: Annotated[list[str] | None, typer.Argument(help="http(s) addresses [DATA_URLS, space-separated].")] = None,
    output: Annotated[Path | None, typer.Option(help="Directory for the files [/mnt/data].")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Fetch this model (owner/name, folder, tiny:<architecture>) instead of files.", metavar="ID"),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Revision of the model [main].")] = None,
    sha256: Annotated[str | None, typer.Option(help="Digest that the file must have; for one address.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Refuse files larger than this.", min=1)] = None,
    attempts: Annotated[int, typer.Option(help="Tries for each file before giving up.", min=1)] = 4,
) -> None:
    """Fetch data files, or the files of a model, into a directory.

    A file keeps the last part of its address as its name, without query; a second file of the same name is numbered. An
    address may end in #sha256=<hex> to have its digest checked. Interrupted transfers go on where they stopped. The
    mirror map (KAITO_MIRRORS) is asked first. HF_TOKEN is sent to the hub's hosts only.

    Exit codes: 0 all are there; 2 usage; 64 bad mirror map or HF_TOKEN; 65 empty, too large, a web page or a wrong
    digest; 66 not found; 69 not reachable; 75 no space; 77 refused.
    """
    if model is not None:
        if urls or sha256 or max_bytes:
            raise UsageFailure("--model goes with --output and --revision only")
        _model(model, revision, output or paths.locate(paths.WEIGHTS))
        return
    _files(
        list(urls or os.environ.get(URLS_VARIABLE, "").split()),
        paths.locate(output or os.environ.get("DATA_VOLUME_PATH") or paths.DATA),
        sha256=sha256,
        max_bytes=max_bytes,
        attempts=attempts,
    )


def _model(name: str, revision: str | None, output: Path) -> None:
    from kaito_runtime.downloading.placing import place_model
    from kaito_runtime.models.resolving import resolve

    place = paths.locate(output)
    folder = resolve(name, revision=revision)
    count = place_model(folder, place)
    log("model-downloaded", model=name, files=count, folder=str(place))


def _files(urls: list[str], output: Path, *, sha256: str | None, max_bytes: int | None, attempts: int) -> None:
    from kaito_runtime.downloading.names import distinct, file_name

    if not urls:
        raise UsageFailure(f"No URLs provided: name addresses or set {URLS_VARIABLE}")
    if sha256 and len(urls) > 1:
        raise UsageFailure("--sha256 is for one address; give each its own as #sha256=<hex>")
    names = distinct([file_name(url) for url in urls])
    digests = {url: _digest(sha256 or url.partition("#sha256=")[2]) for url in urls}
    import httpx

    from kaito_runtime.downloading.fetching import Fetcher, Limits
    from kaito_runtime.mirrors import load_mirrors
    from kaito_runtime.transfer.retrying import Patience

    output.mkdir(parents=True, exist_ok=True)
    with httpx.Client(
        follow_redirects=True,
        timeout=httpx.Timeout(30, connect=10),
        headers={"User-Agent": f"kaito-runtime/{__version__}"},
    ) as client:
        fetcher = Fetcher(client, load_mirrors(), Patience(attempts=attempts), _token())
        for url, name in zip(urls, names, strict=True):
            size = fetcher.fetch(url.partition("#")[0], output / name, Limits(max_bytes, digests[url]))
            log("downloaded", file=str(output / name), bytes=size)
    typer.echo("All downloads completed successfully")


def _token() -> str | None:
    """Return HF_TOKEN without the line break that secrets' files end with. Raises BadConfig where it is no token."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if not re.fullmatch(r"[\x21-\x7e]*", token):
        raise BadConfig("HF_TOKEN holds characters that no token has")
    return token or None


def _digest(text: str) -> str | None:
    """Return the digest that a file must have; None where none is asked for. Raises UsageFailure for anything else."""
    if text and not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise UsageFailure(f"{text[:80]!r} is not a sha256 digest of 64 hexadecimal digits")
    return text or None
