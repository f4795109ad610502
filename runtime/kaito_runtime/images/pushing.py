"""Pushing an adapter as an image."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kaito_runtime.errors import Refused, RuntimeFailure
from kaito_runtime.images.credentials import Credential
from kaito_runtime.images.packing import Image, pack_adapter
from kaito_runtime.images.references import Reference
from kaito_runtime.images.registry import Repository
from kaito_runtime.mirrors import MirrorMap
from kaito_runtime.reporting import log
from kaito_runtime.transfer.retrying import Patience

if TYPE_CHECKING:
    import httpx


def push_adapter(
    client: "httpx.Client",
    reference: Reference,
    folder: Path,
    *,
    credentials: Sequence[Credential],
    annotations: Mapping[str, str],
    mirrors: MirrorMap,
    patience: Patience,
) -> str:
    """Pack the adapter in `folder`, push it as `reference`, and return the image's digest.

    Each credential is tried in turn while the registry refuses; without any, anonymously. Raises Refused with the last
    one's answer, Unavailable with the registry's address when it stays away.
    """
    with tempfile.TemporaryDirectory(prefix="kaito-push-") as scratch:
        image = pack_adapter(folder, Path(scratch) / "layer.tar.gz", annotations=annotations)
        config = Path(scratch) / "config.json"
        config.write_bytes(image.config)
        refusal: Refused | None = None
        for credential in credentials or (None,):
            repository = Repository(client, reference, credential, mirrors, patience)
            try:
                _push(repository, image, config)
            except Refused as refused:
                refusal = refused
            else:
                return image.digest
        assert refusal is not None
        raise refusal


def check_access(
    client: "httpx.Client", reference: Reference, *, credentials: Sequence[Credential], mirrors: MirrorMap
) -> None:
    """Find out whether the registry lets us push, by beginning an upload and giving it up again.

    Raises Refused when every credential is refused. A registry that does not answer now may do so later: no error.
    """
    refusal: Refused | None = None
    for credential in credentials or (None,):
        try:
            Repository(client, reference, credential, mirrors, Patience(attempts=1)).try_upload()
        except Refused as refused:
            refusal = refused
        except RuntimeFailure as failure:
            log("push-untested", level="warning", why=str(failure))
            return
        else:
            return
    assert refusal is not None
    raise refusal


def _push(repository: Repository, image: Image, config: Path) -> None:
    """Blobs first: a registry takes a manifest only when it holds what the manifest names."""
    repository.upload(image.layer, image.layer_digest)
    repository.upload(config, image.config_digest)
    repository.put_manifest(image.manifest, repository.reference.tag or image.digest)
