"""An adapter as an OCI image, byte for byte the same for the same adapter.

Kaito's layout: a manifest, a configuration that names only the layer's diff id (so the image belongs to no platform and
can be mounted as a volume), and one gzipped layer with `data/adapter_config.json` and `data/adapter_model.safetensors`.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kaito_runtime.errors import BadData
from kaito_runtime.images.registry import OCI_MANIFEST

CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
ADAPTER_FILES: Final = ("adapter_config.json", "adapter_model.safetensors")
_EPOCH: Final = "1970-01-01T00:00:00Z"
"""Creation time in the annotations: the same adapter must be the same image."""


@dataclass(frozen=True)
class Image:
    """manifest: its bytes. config: its bytes. layer: file with the compressed layer. Digests are `sha256:<hex>`."""

    manifest: bytes
    config: bytes
    layer: Path
    layer_digest: str

    @property
    def digest(self) -> str:
        """The image's digest: its manifest's."""
        return _digest(self.manifest)

    @property
    def config_digest(self) -> str:
        return _digest(self.config)


def pack_adapter(folder: Path, layer: Path, *, annotations: Mapping[str, str]) -> Image:
    """Return the image of the adapter in `folder`; its layer is written to the file `layer`.

    Raises BadData when one of the adapter's two files is missing or empty.
    """
    for name in ADAPTER_FILES:
        path = folder / name
        if not path.is_file() or path.stat().st_size == 0:
            raise BadData(f"{path} is missing; there is no adapter to pack")
    diff = hashlib.sha256()
    with (
        layer.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed,
        tarfile.open(fileobj=_Tee(packed, diff), mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        archive.addfile(_entry("data", directory=True))
        for name in ADAPTER_FILES:
            path = folder / name
            with path.open("rb") as file:
                archive.addfile(_entry(f"data/{name}", size=path.stat().st_size), file)
    with layer.open("rb") as file:
        digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    config = _json({"rootfs": {"diff_ids": ["sha256:" + diff.hexdigest()], "type": "layers"}})
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG_TYPE, "digest": _digest(config), "size": len(config)},
        "layers": [
            {
                "mediaType": LAYER_TYPE,
                "digest": digest,
                "size": layer.stat().st_size,
                "annotations": {"org.opencontainers.image.title": "layer.tar.gz"},
            }
        ],
        "annotations": {"org.opencontainers.image.created": _EPOCH, **dict(sorted(annotations.items()))},
    }
    return Image(_json(manifest), config, layer, digest)


class _Tee(io.RawIOBase):
    """Writes to a stream and a digest at once."""

    def __init__(self, stream: Any, digest: Any) -> None:
        super().__init__()
        self._stream = stream
        self._digest = digest

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._digest.update(data)
        return int(self._stream.write(data))


def _entry(name: str, *, size: int = 0, directory: bool = False) -> tarfile.TarInfo:
    """Return a tar header without anything that differs between machines; readable by any user."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o755 if directory else 0o644
    entry.type = tarfile.DIRTYPE if directory else tarfile.REGTYPE
    return entry


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
