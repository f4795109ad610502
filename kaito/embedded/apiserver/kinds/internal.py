"""Values as the server's internal Go types print them, for the messages that show one.

Internal types have no JSON tags: every field is there under its Go name, unset ones as null or zero.
"""

from __future__ import annotations

import difflib
import json
from typing import Any, Final

from kaito.embedded.apiserver.schemas.decoding import Sparse, zero
from kaito.embedded.apiserver.schemas.types import Type, type_table

Json = dict[str, Any]
PACKAGE: Final = "io.k8s.kubernetes.pkg.apis."
# What the v1 PodSpec holds itself and the internal one in its security context.
MOVED: Final = {
    "HostNetwork": "hostNetwork", "HostPID": "hostPID", "HostIPC": "hostIPC", "HostUsers": "hostUsers",
    "ShareProcessNamespace": "shareProcessNamespace",
}  # fmt: skip
CONTEXT_LINES: Final = 3


def internal(name: str, value: Any, **moved: Any) -> Any:
    """A value of the external API as the internal type `name` (`core.Taint`) prints it; ready for json.dumps."""
    found = type_table().find(PACKAGE + name)
    assert found is not None, name
    return _convert(found, value, moved)


def internal_pod_spec(spec: Json) -> Json:
    template = type_table().find(f"{PACKAGE}core.PodTemplateSpec")
    assert template is not None
    spec_type = next(declared for raw, declared in template.parts if raw["go"] == "Spec")
    return dict(_convert(spec_type, spec, spec))


def internal_template(template: Json) -> Json:
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    return {**metadata, "Spec": internal_pod_spec(template.get("spec") or {})}


def _convert(kind: Type, value: Any, moved: Json) -> Any:
    match kind.kind:
        case "ptr":
            return None if value is None else _convert(kind.elem, value, moved)
        case "struct":
            return _struct(kind, {} if value is None else value, moved)
        case "slice":
            return None if value is None else [_convert(kind.elem, item, moved) for item in value]
        case "map":
            return None if value is None else {key: _convert(kind.elem, value[key], moved) for key in sorted(value)}
        case _:
            return zero(kind) if value is None else value


def _struct(kind: Type, value: Json, moved: Json) -> Json:
    out: Json = {}
    for raw, declared in kind.parts:
        go = raw["go"]
        if raw.get("inline") or (not raw["json"] and go in ("VolumeSource", "ProbeHandler", "PersistentVolumeSource")):
            out.update(_struct(declared, value, moved))
        elif raw["json"]:
            # A type shared with the external API: its own rules apply.
            if value.get(raw["json"]) is not None or not raw.get("omitempty"):
                out[raw["json"]] = value.get(raw["json"])
        elif go in MOVED:
            out[go] = _convert(declared, moved.get(MOVED[go]), moved)
        else:
            out[go] = _convert(declared, _find(value, go), moved)
    return out


def _find(value: Json, go: str) -> Any:
    """The member whose JSON name belongs to a Go name: ImagePullPolicy, DNSPolicy, TTY, HTTPGet, PodIPs."""
    lowered = go.lower()
    found = next((item for key, item in value.items() if key.lower() == lowered), None)
    if found is None and type(value) is Sparse:
        found = next((item for key, item in value.emptied.items() if key.lower() == lowered), None)
    return found


def difference(new: Any, old: Any) -> str:
    """How the server shows what changed: a unified diff of the indented JSON, without file names."""
    before = json.dumps(old, indent=1, ensure_ascii=False).splitlines()
    after = json.dumps(new, indent=1, ensure_ascii=False).splitlines()
    lines = list(difflib.unified_diff(before, after, lineterm="", n=CONTEXT_LINES))[2:]
    return "\n".join(lines) + "\n"
