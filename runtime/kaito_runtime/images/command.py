"""`kaito-runtime pull`, `push` and `pause`."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaito_runtime import __version__, paths, sentinels
from kaito_runtime.errors import RuntimeFailure, UsageFailure
from kaito_runtime.reporting import log

if TYPE_CHECKING:
    import httpx

_AUTH = typer.Option(help="Folder with config.json and config.d/*/*.json [DOCKER_CONFIG, /root/.docker].")


def pull(
    image: Annotated[str, typer.Argument(help="Reference, e.g. registry.example/team/adapter:0.1.")],
    output: Annotated[Path, typer.Option(help="Folder for what the image has under /data.")],
    docker_config: Annotated[Path | None, _AUTH] = None,
    attempts: Annotated[int, typer.Option(help="Tries of each request before giving up.", min=1)] = 5,
) -> None:
    """Put what an image has under /data (an adapter, or data) into a folder.

    Reads images of this program, of Kaito and any other whose layers hold files under /data. The image is asked for
    anonymously first, then with each fitting credential of the docker configurations (auths, credHelpers, credsStore).
    Digests are verified.

    Exit codes: 0 done; 2 not a reference; 64 bad docker configuration; 65 no /data or a broken image; 66 not found;
    69 registry not reachable; 77 refused.
    """
    from kaito_runtime.images.credentials import config_files, find_credentials
    from kaito_runtime.images.pulling import pull_data
    from kaito_runtime.images.references import parse_reference
    from kaito_runtime.mirrors import load_mirrors
    from kaito_runtime.transfer.retrying import Patience

    reference = parse_reference(image)
    place = paths.locate(output)
    with _client() as client:
        digest, names = pull_data(
            client,
            reference,
            place,
            credentials=find_credentials(reference, config_files(_docker_folder(docker_config))),
            mirrors=load_mirrors(),
            patience=Patience(attempts=attempts),
        )
    log("pulled", image=str(reference), digest=digest, files=len(names), folder=str(place))


def push(
    image: Annotated[str, typer.Argument(help="Reference to push as.")],
    source: Annotated[Path, typer.Option("--from", help="Folder with the adapter.")] = Path(paths.RESULTS),
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the tuning process to finish first.")] = False,
    annotation: Annotated[
        list[str] | None, typer.Option(help="key=value for the manifest; may be repeated.", metavar="KEY=VALUE")
    ] = None,
    docker_config: Annotated[Path | None, _AUTH] = None,
    attempts: Annotated[int, typer.Option(help="Tries of each request before giving up.", min=1)] = 5,
) -> None:
    """Push the adapter in a folder (adapter_config.json and adapter_model.safetensors) as an OCI image.

    The same adapter and annotations give the same digest. With --wait, fine_tuning_completed.txt is waited for, and
    push_completed.json or push_failed.txt is left in the folder; a tuning process that fails or dies ends the wait.
    Credentials are tried before the wait: a registry that refuses them then ends it at once, and the tuning with it.

    Exit codes: 0 pushed; 2 not a reference; 64 bad docker configuration; 65 no adapter; 66 not found; 69 registry not
    reachable; 75 tuning failed for a passing reason; 77 refused.
    """
    folder = paths.locate(source)
    try:
        annotations = _annotations(annotation or [])
        digest = _push(
            image, folder, wait=wait, annotations=annotations, docker_config=docker_config, attempts=attempts
        )
    except RuntimeFailure as failure:
        if wait and folder.is_dir():
            sentinels.report_push_failed(folder, failure)
        raise
    if wait:
        body = json.dumps({"reference": image, "digest": digest})
        sentinels.write_atomically(folder / sentinels.PUSHED, body + "\n")
    log("pushed", image=image, digest=digest)


def _push(
    image: str, folder: Path, *, wait: bool, annotations: dict[str, str], docker_config: Path | None, attempts: int
) -> str:
    from kaito_runtime.images.credentials import config_files, find_credentials
    from kaito_runtime.images.pushing import check_access, push_adapter
    from kaito_runtime.images.references import parse_reference
    from kaito_runtime.images.waiting import Watch
    from kaito_runtime.mirrors import load_mirrors
    from kaito_runtime.transfer.retrying import Patience

    reference = parse_reference(image)
    credentials = find_credentials(reference, config_files(_docker_folder(docker_config)))
    mirrors = load_mirrors()
    if wait:
        with _client() as client:
            check_access(client, reference, credentials=credentials, mirrors=mirrors)
        log("waiting", sentinel=str(folder / sentinels.COMPLETED))
        Watch(folder).until_tuned()
    with _client() as client:
        return push_adapter(
            client,
            reference,
            folder,
            credentials=credentials,
            annotations=annotations,
            mirrors=mirrors,
            patience=Patience(attempts=attempts),
        )


def pause(
    watch: Annotated[
        Path | None, typer.Option(help="End when a pusher has left its result in this folder, well or not.")
    ] = None,
) -> None:
    """Do nothing, until the pusher beside us is done or has failed, or until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if watch is None:
        threading.Event().wait()
        return
    from kaito_runtime.images.waiting import Watch

    pushed = Watch(paths.locate(watch)).until_pushed()
    log("pause-over", pushed=pushed)


def _annotations(pairs: list[str]) -> dict[str, str]:
    annotations = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise UsageFailure(f"--annotation {pair!r}: write key=value")
        annotations[key] = value
    return annotations


def _docker_folder(named: Path | None) -> Path:
    return paths.locate(named or os.environ.get("DOCKER_CONFIG") or paths.DOCKER)


@contextmanager
def _client() -> "Iterator[httpx.Client]":
    import httpx

    with httpx.Client(
        follow_redirects=True,
        timeout=httpx.Timeout(60, connect=10),
        headers={"User-Agent": f"kaito-runtime/{__version__}"},
    ) as client:
        yield client
