"""Volumes of pods."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    not_supported,
    required,
)
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.containers import (
    ENV_FIELDS,
    check_field_ref,
    check_local_path,
    check_no_backsteps,
    check_resource_field,
)
from kaito.embedded.apiserver.schemas import quantities

Json = dict[str, Any]
MODE: Final = "must be a number between 0 and 0777 (octal), both inclusive"
HOST_PATHS: Final = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
VOLUME_FIELDS: Final = frozenset(ENV_FIELDS - {f for f in ENV_FIELDS if f.startswith(("spec.", "status."))})
MINIMUM_TOKEN_SECONDS: Final = 600
ONE_KIND: Final = "may not specify more than 1 volume type"


def check_volumes(volumes: list[Json], path: str, *, service_account: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        here = f"{path}[{index}]"
        found = check_source(volume, here)
        name = volume.get("name", "")
        if not name:
            found.append(required(f"{here}.name"))
        else:
            found += invalid_each(f"{here}.name", name, names.label(name))
        if name in seen:
            found.append(duplicate(f"{here}.name", name))
        if not found:
            seen.add(name)
        causes += found
        if not service_account:
            for at, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
                if source.get("serviceAccountToken") is not None:
                    detail = "must not be specified when serviceAccountName is not set"
                    causes.append(forbidden(f"{here}.projected.sources[{at}].serviceAccountToken", detail))
    return causes


def check_source(holder: Json, path: str, *, skip: tuple[str, ...] = ("name",)) -> list[Cause]:
    """The one source of a volume."""
    causes: list[Cause] = []
    kinds = [kind for kind in ORDER if holder.get(kind) is not None]
    kinds += [kind for kind in holder if kind not in ORDER and kind not in skip and isinstance(holder[kind], dict)]
    for index, kind in enumerate(kinds):
        here = f"{path}.{kind}"
        if index:
            causes.append(forbidden(here, ONE_KIND))
        elif check := CHECKS.get(kind):
            causes += check(holder[kind], here)
    if not kinds:
        causes.append(required(path, "must specify a volume type"))
    return causes


def _empty_dir(source: Json, path: str) -> list[Cause]:
    if source.get("sizeLimit") is not None and quantities.value_of(source["sizeLimit"]) < 0:
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _host_path(source: Json, path: str) -> list[Cause]:
    place, kind = source.get("path", ""), source.get("type") or ""
    if not place:
        return [required(f"{path}.path")]
    causes = check_no_backsteps(place, f"{path}.path")
    if kind not in HOST_PATHS:
        causes.append(not_supported(f"{path}.type", kind, HOST_PATHS))
    return causes


def _secret(source: Json, path: str) -> list[Cause]:
    causes = [] if source.get("secretName") else [required(f"{path}.secretName")]
    return causes + _keyed(source, path)


def _config_map(source: Json, path: str) -> list[Cause]:
    causes = [] if source.get("name") else [required(f"{path}.name")]
    return causes + _keyed(source, path)


def _keyed(source: Json, path: str) -> list[Cause]:
    causes = _mode(source.get("defaultMode"), f"{path}.defaultMode")
    for index, item in enumerate(source.get("items") or ()):
        causes += _item(item, f"{path}.items[{index}]")
    return causes


def _item(item: Json, path: str) -> list[Cause]:
    causes = [] if item.get("key") else [required(f"{path}.key")]
    place = item.get("path", "")
    causes += check_local_path(place, f"{path}.path") if place else [required(f"{path}.path")]
    return causes + _mode(item.get("mode"), f"{path}.mode")


def _mode(mode: int | None, path: str) -> list[Cause]:
    return [invalid(path, mode, MODE)] if mode is not None and not 0 <= mode <= 0o777 else []


def _claim(source: Json, path: str) -> list[Cause]:
    return [] if source.get("claimName") else [required(f"{path}.claimName")]


def _downward(source: Json, path: str) -> list[Cause]:
    causes = _mode(source.get("defaultMode"), f"{path}.defaultMode")
    for item in source.get("items") or ():
        place = item.get("path", "")
        causes += check_local_path(place, f"{path}.path") if place else [required(f"{path}.path")]
        field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
        if field is not None:
            causes += check_field_ref(field, f"{path}.fieldRef", VOLUME_FIELDS)
            if resource is not None:
                detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
                causes.append(invalid(path, "resource", detail))
        elif resource is not None:
            causes += check_resource_field(resource, f"{path}.resourceFieldRef", in_volume=True)
        else:
            causes.append(required(path, "one of fieldRef and resourceFieldRef is required"))
        causes += _mode(item.get("mode"), f"{path}.mode")
    return causes


def _projected(source: Json, path: str) -> list[Cause]:
    causes = _mode(source.get("defaultMode"), f"{path}.defaultMode")
    for index, part in enumerate(source.get("sources") or ()):
        here = f"{path}.sources[{index}]"
        kinds = [kind for kind, value in part.items() if value is not None]
        if len(kinds) > 1:
            causes.append(forbidden(here, ONE_KIND))
        for kind in ("secret", "configMap"):
            if (found := part.get(kind)) is not None:
                if not found.get("name"):
                    causes.append(required(f"{here}.{kind}.name"))
                causes += _keyed({"items": found.get("items")}, f"{here}.{kind}")
        if (found := part.get("downwardAPI")) is not None:
            causes += _downward(found, f"{here}.downwardAPI")
        if (token := part.get("serviceAccountToken")) is not None:
            seconds = token.get("expirationSeconds", 0)
            if seconds < MINIMUM_TOKEN_SECONDS:
                detail = "may not specify a duration less than 10 minutes"
                causes.append(invalid(f"{here}.serviceAccountToken.expirationSeconds", seconds, detail))
            place = token.get("path", "")
            causes += check_local_path(place, f"{path}.path") if place else [required(f"{path}.path")]
    return causes


def _nfs(source: Json, path: str) -> list[Cause]:
    causes = [] if source.get("server") else [required(f"{path}.server")]
    place = source.get("path", "")
    if not place:
        causes.append(required(f"{path}.path"))
    elif not place.startswith("/"):
        causes.append(invalid(f"{path}.path", place, "must be an absolute path"))
    return causes


def _csi(source: Json, path: str) -> list[Cause]:
    return check_driver_name(source.get("driver", ""), f"{path}.driver")


def check_driver_name(driver: str, path: str) -> list[Cause]:
    causes = [] if driver else [required(path)]
    if len(driver) > 63:
        causes.append(Cause(path, "Too long: may not be more than 63 bytes", "FieldValueTooLong"))
    return causes + invalid_each(path, driver, names.subdomain(driver.lower()))


def _ephemeral(source: Json, path: str) -> list[Cause]:
    return [] if source.get("volumeClaimTemplate") else [required(f"{path}.volumeClaimTemplate")]


CHECKS: Final = {
    "emptyDir": _empty_dir, "hostPath": _host_path, "secret": _secret, "configMap": _config_map,
    "persistentVolumeClaim": _claim, "downwardAPI": _downward, "projected": _projected, "nfs": _nfs, "csi": _csi,
    "ephemeral": _ephemeral,
}  # fmt: skip
ORDER: Final = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc",
    "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk",
    "storageos", "projected", "scaleIO", "csi", "ephemeral", "image", "local",
)  # fmt: skip
