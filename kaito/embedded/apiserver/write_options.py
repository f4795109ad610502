"""The options of writes: dryRun, fieldManager, fieldValidation, force; and DeleteOptions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kaito.embedded.apiserver.errors import Cause, invalid_options
from kaito.embedded.apiserver.list_options import integer
from kaito.embedded.apiserver.routing import is_true

_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_MANAGER_BYTES = 128
Propagation = Literal["Foreground", "Background", "Orphan"]
_POLICIES = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True)
class WriteOptions:
    """What a create, update or patch was told."""

    dry_run: bool
    manager: str
    """The field manager: named, or what the User-Agent calls itself."""
    validation: str
    """Ignore, Warn or Strict."""
    force: bool | None = None


def write_options(
    query: Mapping[str, str], headers: Mapping[str, str], kind: str, *, apply: bool = False
) -> WriteOptions:
    """`kind` is CreateOptions, UpdateOptions or PatchOptions. Raises a 422."""
    causes: list[Cause] = []
    manager = query.get("fieldManager") or ""
    force = _boolean(query, "force") if kind == "PatchOptions" else None
    if kind == "PatchOptions":
        if apply and not manager:
            message = "Required value: is required for apply patch"
            causes.append(Cause("FieldValueRequired", message, "fieldManager"))
        if not apply and force is not None:
            causes.append(Cause("FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force"))
    causes += _manager_causes(manager)
    dry_run = _dry_run(_listed(query, "dryRun"), causes)
    validation = query.get("fieldValidation") or ""
    if validation not in _VALIDATIONS:
        listed = ", ".join(f'"{word}"' for word in _VALIDATIONS)
        message = f'Unsupported value: "{validation}": supported values: {listed}'
        causes.append(Cause("FieldValueNotSupported", message, "fieldValidation"))
    if causes:
        raise invalid_options(kind, causes)
    agent = headers.get("User-Agent") or "unknown"
    name = manager or agent.split("/")[0][:_MANAGER_BYTES]
    return WriteOptions(dry_run, name, validation or "Warn", force)


def _boolean(query: Mapping[str, str], name: str) -> bool | None:
    return is_true(query[name]) if name in query else None


def _manager_causes(manager: str) -> list[Cause]:
    if len(manager.encode()) > _MANAGER_BYTES:
        message = f"Too long: may not be more than {_MANAGER_BYTES} bytes"
        return [Cause("FieldValueTooLong", message, "fieldManager")]
    causes = []
    position = 0
    for char in manager:
        if not char.isprintable():
            why = f"invalid character U+{ord(char):04X} (at position {position})"
            causes.append(Cause("FieldValueInvalid", f"Invalid value: {json.dumps(manager)}: {why}", "fieldManager"))
        position += len(char.encode())
    return causes


def _listed(query: Mapping[str, str], name: str) -> list[str]:
    getall = getattr(query, "getall", None)
    return list(getall(name, [])) if getall else ([query[name]] if name in query else [])


def _dry_run(values: Sequence[str], causes: list[Cause]) -> bool:
    if any(value != "All" for value in values):
        listed = ",".join(f'"{value}"' for value in values)
        message = f'Unsupported value: [{listed}]: supported values: "All"'
        causes.append(Cause("FieldValueNotSupported", message, "dryRun"))
    return bool(values)


@dataclass
class DeleteOptions:
    """What a delete was told; `grace` in seconds. Changed while the delete is worked out, as in the real server."""

    grace: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    orphan_dependents: bool | None = None
    propagation: Propagation | None = None
    dry_run: bool = False


def delete_options(query: Mapping[str, str], body: Mapping[str, Any] | None) -> DeleteOptions:
    """From a decoded body where there is one, else from the query. Raises a 400 or 422."""
    causes: list[Cause] = []
    if body is None:
        body = {
            "gracePeriodSeconds": integer(query, "gracePeriodSeconds"),
            "orphanDependents": _boolean(query, "orphanDependents"),
            "propagationPolicy": query.get("propagationPolicy"),
            "dryRun": _listed(query, "dryRun"),
        }
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds")
    options = DeleteOptions(
        # A negative period means "at once, but let the kubelet have its say".
        grace=1 if grace is not None and grace < 0 else grace,
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        orphan_dependents=body.get("orphanDependents"),
        propagation=body.get("propagationPolicy"),
    )
    policy = options.propagation
    if policy is not None and options.orphan_dependents is not None:
        message = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        causes.append(Cause("FieldValueInvalid", message, "propagationPolicy"))
    if policy is not None and policy not in _POLICIES:
        supported = ", ".join(f'"{word}"' for word in (*_POLICIES, "nil"))
        message = f'Unsupported value: "{policy}": supported values: {supported}'
        causes.append(Cause("FieldValueNotSupported", message, "propagationPolicy"))
    options.dry_run = _dry_run(body.get("dryRun") or (), causes)
    if causes:
        raise invalid_options("DeleteOptions", causes)
    return options
