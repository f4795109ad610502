"""From a volume of a pod spec to a folder on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kaito.embedded.kubelet.fields import PodFacts, UnknownField, container_named
from kaito.embedded.kubelet.layout import PathEscapes, PodLayout, confined
from kaito.embedded.kubelet.variables import BadConfiguration, Lookup, content
from kaito.embedded.kubelet.volumes.projection import (
    BadPayload,
    ProjectedFile,
    check_path,
    selected,
    write_payload,
)
from kaito.kube.client import KubeClient
from kaito.kube.clock import Clock
from kaito.kube.errors import ApiError, NotFound
from kaito.kube.objects import parse_time
from kaito.kube.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, SERVICE_ACCOUNTS

IMPLEMENTED = (
    "emptyDir, configMap, secret, projected, downwardAPI, hostPath, persistentVolumeClaim and ephemeral "
    "(bound to a PersistentVolume of type hostPath or local)"
)
_PROJECTED = ("configMap", "secret", "projected", "downwardAPI")
_ROOT_CREATES = 0o755


class MountFailed(Exception):
    """A volume that cannot be had now; the message is that of the ``FailedMount`` event."""


@dataclass
class _Token:
    """A service account token and when to replace it."""

    value: bytes
    renew_at: datetime


@dataclass
class PodVolumes:
    """The volumes of one pod. ``folders`` maps the name of each volume that is ready to its folder (or file)."""

    client: KubeClient
    clock: Clock
    layout: PodLayout
    lookup: Lookup
    folders: dict[str, Path] = field(default_factory=dict)
    _tokens: dict[tuple[str, str], _Token] = field(default_factory=dict)

    projected: bool = False
    """Whether some volume shows what the API gives, and so may change."""

    async def mount(self, facts: PodFacts) -> None:
        """Make every volume ready. Raises `MountFailed` at the first that is not."""
        for volume in facts.pod["spec"].get("volumes") or ():
            if volume["name"] not in self.folders:
                self.folders[volume["name"]] = await self._guarded(volume, facts)
                self.projected = self.projected or any(kind in volume for kind in _PROJECTED)

    async def refresh(self, facts: PodFacts) -> None:
        """Bring the volumes whose content the API gives up to date. `MountFailed` leaves the old content."""
        for volume in facts.pod["spec"].get("volumes") or ():
            if volume["name"] in self.folders and any(kind in volume for kind in _PROJECTED):
                await self._guarded(volume, facts)

    async def _guarded(self, volume: Mapping[str, Any], facts: PodFacts) -> Path:
        name = volume["name"]
        try:
            return await self._folder(volume, facts)
        except (BadPayload, BadConfiguration, PathEscapes, UnknownField, ApiError) as error:
            message = error.message if isinstance(error, ApiError) else str(error)
            raise MountFailed(f'MountVolume.SetUp failed for volume "{name}" : {message}') from error
        except OSError as error:
            raise MountFailed(f'MountVolume.SetUp failed for volume "{name}" : {error.strerror}') from error

    async def _folder(self, volume: Mapping[str, Any], facts: PodFacts) -> Path:
        name = volume["name"]
        kinds = [kind for kind in volume if kind != "name"]
        kind = kinds[0] if kinds else "emptyDir"
        source = volume.get(kind) or {}
        own = self.layout.volume(name)
        if kind == "emptyDir":
            own.mkdir(parents=True, exist_ok=True)
            return own
        if kind in _PROJECTED:
            payload = await self._payload(kind, source, facts)
            write_payload(own, payload, now=self.clock.now())
            return own
        if kind == "hostPath":
            return host_path(source["path"], source.get("type") or "")
        if kind in ("persistentVolumeClaim", "ephemeral"):
            metadata = facts.pod["metadata"]
            claim = source["claimName"] if kind == "persistentVolumeClaim" else f"{metadata['name']}-{name}"
            return await self._claimed(claim, metadata.get("namespace", ""))
        raise MountFailed(
            f'MountVolume.SetUp failed for volume "{name}" : volumes of type {kind} are not implemented by the process '
            f"kubelet; it implements {IMPLEMENTED}"
        )

    async def _payload(self, kind: str, source: Mapping[str, Any], facts: PodFacts) -> dict[str, ProjectedFile]:
        mode = source.get("defaultMode")
        mode = 0o644 if mode is None else mode
        if kind != "projected":
            return await self._part(kind, source, mode, facts)
        files: dict[str, ProjectedFile] = {}
        for part in source.get("sources") or ():
            for part_kind, part_source in part.items():
                files |= await self._part(part_kind, part_source, mode, facts)
        return files

    async def _part(self, kind: str, source: Mapping[str, Any], mode: int, facts: PodFacts) -> dict[str, ProjectedFile]:
        if kind in ("configMap", "secret"):
            lower = kind.lower()
            name = source.get("name") or source.get("secretName") or ""
            optional = bool(source.get("optional", False))
            try:
                values = content(lower, await self.lookup(lower, name))
            except NotFound as error:
                if optional:
                    return {}
                raise BadPayload(f'{lower} "{name}" not found') from error
            return selected(values, source.get("items"), mode, what=f'{lower} "{name}"', optional=optional)
        if kind == "downwardAPI":
            return _downward(source, mode, facts)
        if kind == "serviceAccountToken":
            token = await self._token(source, facts)
            return {check_path(source["path"]): ProjectedFile(token, mode)}
        raise BadPayload(f"projected source {kind} is not implemented by the process kubelet")

    async def _token(self, source: Mapping[str, Any], facts: PodFacts) -> bytes:
        """A token from the TokenRequest API, kept until four fifths of its life are over."""
        metadata = facts.pod["metadata"]
        account = facts.pod["spec"].get("serviceAccountName") or "default"
        audience = source.get("audience") or ""
        known = self._tokens.get((source["path"], audience))
        now = self.clock.now()
        if known and now < known.renew_at:
            return known.value
        reference = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"name": account, "namespace": metadata.get("namespace", "")},
            "spec": {
                "audiences": [audience] if audience else [],
                "expirationSeconds": source.get("expirationSeconds") or 3600,
                "boundObjectRef": reference,
            },
        }
        answer = await self.client.create_subresource(
            SERVICE_ACCOUNTS, account, "token", request, metadata.get("namespace")
        )
        status = answer["status"]
        life = parse_time(status["expirationTimestamp"]) - now
        token = _Token(status["token"].encode(), now + life * 0.8)
        self._tokens[(source["path"], audience)] = token
        return token.value

    async def _claimed(self, claim_name: str, namespace: str) -> Path:
        claim = await self.client.get(PERSISTENT_VOLUME_CLAIMS, claim_name, namespace)
        volume_name = claim["spec"].get("volumeName")
        if not volume_name or (claim.get("status") or {}).get("phase") not in (None, "Bound"):
            raise BadPayload(f'persistentvolumeclaim "{claim_name}" is not bound yet')
        spec = (await self.client.get(PERSISTENT_VOLUMES, volume_name))["spec"]
        if spec.get("volumeMode", "Filesystem") != "Filesystem":
            raise BadPayload(f'persistentvolume "{volume_name}" has volumeMode Block, which a folder cannot be')
        if "hostPath" in spec:
            return host_path(spec["hostPath"]["path"], spec["hostPath"].get("type") or "DirectoryOrCreate")
        if "local" in spec:
            return host_path(spec["local"]["path"], "Directory")
        raise BadPayload(
            f'persistentvolume "{volume_name}" is of no type that the process kubelet implements (hostPath or local)'
        )


def _downward(source: Mapping[str, Any], mode: int, facts: PodFacts) -> dict[str, ProjectedFile]:
    files: dict[str, ProjectedFile] = {}
    for item in source.get("items") or ():
        if reference := item.get("fieldRef"):
            text = facts.field(reference["fieldPath"])
        else:
            reference = item["resourceFieldRef"]
            text = facts.resource(reference, container_named(facts.pod, reference.get("containerName", "")))
        item_mode = item.get("mode")
        files[check_path(item["path"])] = ProjectedFile(text.encode(), mode if item_mode is None else item_mode)
    return files


def host_path(text: str, kind: str) -> Path:
    """A path of this machine after the checks of its ``hostPath.type``. Raises `BadPayload`."""
    if not text.startswith("/") or ".." in text.split("/"):
        raise BadPayload(f"hostPath {text!r} must be absolute and must not contain '..'")
    path = confined(Path("/"), text)
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True, mode=_ROOT_CREATES)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch()
    wanted = {
        "Directory": path.is_dir(),
        "DirectoryOrCreate": path.is_dir(),
        "File": path.is_file(),
        "FileOrCreate": path.is_file(),
        "Socket": path.is_socket(),
        "CharDevice": path.is_char_device(),
        "BlockDevice": path.is_block_device(),
        "": True,
    }
    if kind not in wanted:
        raise BadPayload(f"hostPath type {kind!r} is unknown")
    if not wanted[kind]:
        raise BadPayload(f"hostPath type check failed: {text} is not a {_spoken(kind)}")
    if kind == "" and not os.path.lexists(path):
        path.mkdir(parents=True, exist_ok=True, mode=_ROOT_CREATES)
    return path


def _spoken(kind: str) -> str:
    return {"Directory": "directory", "DirectoryOrCreate": "directory", "File": "file", "FileOrCreate": "file"}.get(
        kind, kind.lower()
    )
