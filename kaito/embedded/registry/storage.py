"""Content-addressed storage of a registry in a folder: blobs, manifests, tags and uploads under way.

    blobs/sha256/<hex>                        every blob and manifest, once
    repositories/<name>/_layers/<hex>         which blobs a repository holds (empty files)
    repositories/<name>/_manifests/<hex>      its manifests, each with its media type
    repositories/<name>/_tags/<tag>           the digest a tag stands for
    uploads/<id>                              bytes received so far

Every file is written beside its place and renamed into it, so a killed registry has no half-written content.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from kaito.embedded.registry.errors import RegistryError

NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
"""Repository names (OCI distribution specification 1.1, "Pulling manifests")."""
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
DIGEST = re.compile(r"sha256:[a-f0-9]{64}")
CHUNK = 1 << 20


class Storage:
    """One registry's content below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in ("blobs/sha256", "repositories", "uploads"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for leftover in (root / "uploads").iterdir():
            leftover.unlink()

    # ---- blobs

    def blob_path(self, repository: str, digest: str) -> Path:
        """Where a blob of the repository lies; BLOB_UNKNOWN when it is not there."""
        path = self._blob(digest)
        if not (self._repository(repository) / "_layers" / path.name).exists() or not path.exists():
            raise RegistryError("BLOB_UNKNOWN", f"blob {digest} is not in {repository}", detail={"digest": digest})
        return path

    def link_blob(self, repository: str, digest: str) -> None:
        """Make a stored blob part of a repository."""
        link = self._repository(repository) / "_layers" / self._blob(digest).name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.touch()

    def mount_blob(self, repository: str, digest: str, source: str) -> bool:
        """Take a blob over from another repository; False when that one does not hold it."""
        try:
            self.blob_path(source, digest)
        except RegistryError:
            return False
        self.link_blob(repository, digest)
        return True

    def delete_blob(self, repository: str, digest: str) -> None:
        """Take a blob out of a repository."""
        (self._repository(repository) / "_layers" / self.blob_path(repository, digest).name).unlink()

    # ---- uploads

    def start_upload(self) -> str:
        """A new upload's id."""
        upload = uuid.uuid4().hex
        (self._root / "uploads" / upload).touch()
        return upload

    def upload_path(self, upload: str) -> Path:
        """The file an upload collects its bytes in; BLOB_UPLOAD_UNKNOWN when there is no such upload."""
        path = self._root / "uploads" / upload
        if not re.fullmatch(r"[0-9a-f]{32}", upload) or not path.exists():
            raise RegistryError("BLOB_UPLOAD_UNKNOWN", "this upload is not known to the registry")
        return path

    def finish_upload(self, upload: str, repository: str, digest: str) -> None:
        """Turn an upload into a blob; DIGEST_INVALID (and the upload is dropped) when its bytes do not match."""
        path = self.upload_path(upload)
        with path.open("rb") as stream:
            actual = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        if actual != digest:
            path.unlink()
            message = "the uploaded bytes do not have the digest they were announced with"
            raise RegistryError("DIGEST_INVALID", message, detail={"announced": digest, "actual": actual})
        os.replace(path, self._blob(digest))
        self.link_blob(repository, digest)

    # ---- manifests

    def put_manifest(self, repository: str, reference: str, content: bytes, media_type: str) -> str:
        """Store a manifest under a tag or its own digest; returns the digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if DIGEST.fullmatch(reference) and reference != digest:
            raise RegistryError("DIGEST_INVALID", f"the manifest's digest is {digest}, not {reference}")
        _write(self._blob(digest), content)
        folder = self._repository(repository)
        _write(folder / "_manifests" / self._blob(digest).name, media_type.encode())
        if not DIGEST.fullmatch(reference):
            _write(folder / "_tags" / _checked_tag(reference), digest.encode())
        return digest

    def manifest(self, repository: str, reference: str) -> tuple[str, str, bytes]:
        """Digest, media type and bytes of a manifest; MANIFEST_UNKNOWN when it is not there."""
        folder = self._repository(repository)
        unknown = RegistryError("MANIFEST_UNKNOWN", f"manifest {repository}:{reference} is not in this registry")
        if DIGEST.fullmatch(reference):
            digest = reference
        else:
            tag = folder / "_tags" / _checked_tag(reference)
            if not tag.exists():
                raise unknown
            digest = tag.read_text()
        media_type = folder / "_manifests" / self._blob(digest).name
        if not media_type.exists():
            raise unknown
        return digest, media_type.read_text(), self._blob(digest).read_bytes()

    def delete_manifest(self, repository: str, reference: str) -> None:
        """Delete a tag, or a manifest with all its tags when `reference` is a digest."""
        digest, _, _ = self.manifest(repository, reference)
        folder = self._repository(repository)
        if not DIGEST.fullmatch(reference):
            (folder / "_tags" / reference).unlink()
            return
        (folder / "_manifests" / self._blob(digest).name).unlink()
        for tag in self.tags(repository):
            if (folder / "_tags" / tag).read_text() == digest:
                (folder / "_tags" / tag).unlink()

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository, sorted; NAME_UNKNOWN when it holds nothing."""
        folder = self._repository(repository)
        if not folder.exists():
            raise RegistryError("NAME_UNKNOWN", f"repository {repository} is not in this registry")
        return sorted(tag.name for tag in (folder / "_tags").iterdir()) if (folder / "_tags").exists() else []

    def manifests(self, repository: str) -> Iterator[tuple[str, str, bytes]]:
        """Every manifest of a repository: digest, media type and bytes."""
        folder = self._repository(repository) / "_manifests"
        for entry in sorted(folder.iterdir()) if folder.exists() else ():
            yield f"sha256:{entry.name}", entry.read_text(), self._blob(f"sha256:{entry.name}").read_bytes()

    def repositories(self) -> list[str]:
        """The names of all repositories with a manifest, sorted."""
        base = self._root / "repositories"
        return sorted(str(folder.parent.relative_to(base)) for folder in base.rglob("_manifests"))

    def check_name(self, name: str) -> None:
        """NAME_INVALID when `name` is no repository name."""
        self._repository(name)

    def _repository(self, name: str) -> Path:
        if not NAME.fullmatch(name) or len(name) > 255:
            raise RegistryError("NAME_INVALID", f"{name!r} is not a repository name")
        return self._root / "repositories" / name

    def _blob(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise RegistryError("DIGEST_INVALID", f"{digest!r} is not a sha256 digest")
        return self._root / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _checked_tag(tag: str) -> str:
    if not TAG.fullmatch(tag):
        raise RegistryError("TAG_INVALID", f"{tag!r} is not a tag")
    return tag


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    temporary.write_bytes(content)
    os.replace(temporary, path)
