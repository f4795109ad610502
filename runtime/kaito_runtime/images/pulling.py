"""Pulling an image's `/data` folder."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaito_runtime.errors import BadData, NotFound, Refused
from kaito_runtime.images.credentials import Credential
from kaito_runtime.images.references import Reference, is_digest
from kaito_runtime.images.registry import Repository
from kaito_runtime.images.unpacking import FOLDER, Allowance, unpack_layer
from kaito_runtime.mirrors import MirrorMap
from kaito_runtime.transfer.retrying import Patience

if TYPE_CHECKING:
    import httpx


def pull_data(
    client: "httpx.Client",
    reference: Reference,
    output: Path,
    *,
    credentials: Sequence[Credential],
    mirrors: MirrorMap,
    patience: Patience,
) -> tuple[str, list[str]]:
    """Put what the image has under `/data` into `output`; return the image's digest and the files' names.

    Asked anonymously first, then with each credential while the registry refuses (or hides the image). Every layer's
    digest is verified before it is unpacked. `output` gets all files or keeps what it had. Raises BadData when the
    image has nothing under `/data`.
    """
    refusal: Refused | NotFound | None = None
    for credential in (None, *credentials):
        repository = Repository(client, reference, credential, mirrors, patience)
        try:
            manifest, digest = repository.manifest(reference.version)
            break
        except (Refused, NotFound) as failure:
            if refusal is None or isinstance(refusal, Refused):
                refusal = failure
    else:
        assert refusal is not None
        raise refusal
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".kaito-pull-", dir=output.parent) as scratch:
        root = Path(scratch) / FOLDER
        layers = [(_digest(layer, reference), _size(layer, reference)) for layer in manifest["layers"]]
        allowance = Allowance(sum(size for _, size in layers))
        for digest_of_layer, size in layers:
            blob = Path(scratch) / "layer"
            repository.download(digest_of_layer, blob, size=size)
            unpack_layer(blob, root, name=str(reference), allowance=allowance)
        names = (
            sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) if root.exists() else []
        )
        if not names:
            raise BadData(f"{reference} has no files under /{FOLDER}; it is no adapter or data image")
        _move(root, output)
    return digest, names


def _digest(layer: Any, reference: Reference) -> str:
    digest = layer.get("digest") if isinstance(layer, dict) else None
    if not is_digest(digest):
        raise BadData(f"{reference}: the manifest names a layer without a sha256 digest")
    return str(digest)


def _size(layer: Any, reference: Reference) -> int:
    size = layer.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise BadData(f"{reference}: the manifest names a layer without a size")
    return size


def _move(root: Path, output: Path) -> None:
    """Put each entry of `root` into `output`, in place of what has its name."""
    output.mkdir(parents=True, exist_ok=True)
    for child in sorted(root.iterdir()):
        place = output / child.name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        child.replace(place)
