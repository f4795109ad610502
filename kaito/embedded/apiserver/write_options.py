"""The options of writes: dryRun, fieldManager, fieldValidation, force; and DeleteOptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kaito.embedded.apiserver.errors import Cause, bad_request, invalid_options
from kaito.embedded.apiserver.routing import is_true

_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_MANAGER_BYTES = 128
Propagation = Literal["", "Orphan", "Background", "Foreground"]


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
    """`kind` is CreateOptions, UpdateOptions or PatchOptions. Raises a 422 (400 for an unreadable force)."""
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
    dry_run = _dry_run(query, causes)
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
    if not manager.isprintable():
        return [
            Cause(
                "FieldValueInvalid",
                f'Invalid value: "{manager}": should only contain printable characters',
                "fieldManager",
            )
        ]
    return []


def _dry_run(query: Mapping[str, str], causes: list[Cause]) -> bool:
    getall = getattr(query, "getall", None)
    values: list[str] = list(getall("dryRun", [])) if getall else ([query["dryRun"]] if "dryRun" in query else [])
    values = [value for value in values if value]
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
    propagation: Propagation = ""
    dry_run: bool = False


def delete_options(query: Mapping[str, str], body: Mapping[str, Any] | None) -> DeleteOptions:
    """From the body where there is one, else from the query. Raises a 400 or 422."""
    causes: list[Cause] = []
    options = DeleteOptions(dry_run=_dry_run(query, causes))
    if body:
        options.grace = body.get("gracePeriodSeconds")
        preconditions = body.get("preconditions") or {}
        options.uid = preconditions.get("uid")
        options.resource_version = preconditions.get("resourceVersion")
        options.orphan_dependents = body.get("orphanDependents")
        options.propagation = body.get("propagationPolicy") or ""
        listed = body.get("dryRun") or []
        if any(value != "All" for value in listed):
            shown = ",".join(f'"{value}"' for value in listed)
            causes.append(
                Cause("FieldValueNotSupported", f'Unsupported value: [{shown}]: supported values: "All"', "dryRun")
            )
        options.dry_run = options.dry_run or bool(listed)
    else:
        grace = query.get("gracePeriodSeconds")
        if grace:
            try:
                options.grace = int(grace)
            except ValueError:
                raise bad_request(f'strconv.ParseInt: parsing "{grace}": invalid syntax') from None
        options.orphan_dependents = _boolean(query, "orphanDependents")
        options.propagation = query.get("propagationPolicy") or ""  # type: ignore[assignment]
    if options.grace is not None and options.grace < 0:
        # A negative period means "at once, but let the kubelet have its say"
        options.grace = 1
    policy: str = options.propagation
    if policy not in ("", "Orphan", "Background", "Foreground"):
        supported = '"Background", "Foreground", "Orphan"'
        message = f'Unsupported value: "{policy}": supported values: {supported}'
        causes.append(Cause("FieldValueNotSupported", message, "propagationPolicy"))
    if options.propagation and options.orphan_dependents is not None:
        message = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        causes.insert(0, Cause("FieldValueInvalid", message, "propagationPolicy"))
    if causes:
        raise invalid_options("DeleteOptions", causes)
    return options
