"""ConfigMaps and Secrets."""

from __future__ import annotations

import base64
from typing import Any, Final

from kaito.embedded.apiserver.go_json import syntax_error
from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import forbidden, invalid, invalid_each, required, too_long
from kaito.embedded.apiserver.kinds.model import Cause

Json = dict[str, Any]
LIMIT: Final = 1024 * 1024
FROZEN: Final = "field is immutable when `immutable` is set"
ACCOUNT: Final = "kubernetes.io/service-account.name"
DOCKER: Final = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}


def check_config_map(config: Json) -> list[Cause]:
    causes: list[Cause] = []
    data, binary = config.get("data") or {}, config.get("binaryData") or {}
    total = 0
    for key, value in data.items():
        causes += invalid_each(f"data[{key}]", key, names.config_key(key))
        if key in binary:
            causes.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        total += len(value.encode())
    for key, value in binary.items():
        causes += invalid_each(f"binaryData[{key}]", key, names.config_key(key))
        total += len(base64.b64decode(value or ""))
    if total > LIMIT:
        causes.append(too_long("[]", LIMIT))
    return causes


def _check_frozen(new: Json, old: Json, fields: tuple[str, ...]) -> list[Cause]:
    if not old.get("immutable"):
        return []
    causes = [] if new.get("immutable") else [forbidden("immutable", FROZEN)]
    return causes + [forbidden(field, FROZEN) for field in fields if new.get(field) != old.get(field)]


def check_config_map_update(new: Json, old: Json) -> list[Cause]:
    return _check_frozen(new, old, ("data", "binaryData"))


def check_secret(secret: Json) -> list[Cause]:
    causes: list[Cause] = []
    data, kind = secret.get("data") or {}, secret.get("type", "")
    total = 0
    for key, value in data.items():
        causes += invalid_each(f"data[{key}]", key, names.config_key(key))
        total += len(base64.b64decode(value or ""))
    if total > LIMIT:
        causes.append(too_long("data", LIMIT))
    match kind:
        case "kubernetes.io/service-account-token":
            if not ((secret.get("metadata") or {}).get("annotations") or {}).get(ACCOUNT):
                causes.append(required(f"metadata.annotations[{ACCOUNT}]"))
        case "kubernetes.io/dockerconfigjson" | "kubernetes.io/dockercfg":
            causes += _check_docker(data, DOCKER[kind])
        case "kubernetes.io/basic-auth":
            if "username" not in data and "password" not in data:
                causes += [required("data[username]"), required("data[password]")]
        case "kubernetes.io/ssh-auth":
            if not data.get("ssh-privatekey"):
                causes.append(required("data[ssh-privatekey]"))
        case "kubernetes.io/tls":
            causes += [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data]
        case _:
            pass
    return causes


def _check_docker(data: Json, key: str) -> list[Cause]:
    if key not in data:
        return [required(f"data[{key}]")]
    if error := syntax_error(base64.b64decode(data[key] or "")):
        return [invalid(f"data[{key}]", "<secret contents redacted>", error)]
    return []


def check_secret_update(new: Json, old: Json) -> list[Cause]:
    causes: list[Cause] = []
    if new.get("type") != old.get("type"):
        causes.append(invalid("type", new.get("type"), names.IMMUTABLE))
    return causes + _check_frozen(new, old, ("data",))
