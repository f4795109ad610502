"""Events of the core group and of events.k8s.io (pkg/apis/core/validation/events.go)."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names
from kaito.embedded.apiserver.kinds.causes import invalid, invalid_each, required
from kaito.embedded.apiserver.kinds.model import Cause

Json = dict[str, Any]
LONGEST, LONGEST_NOTE = 128, 1024
REFERENCE: Final = {
    "Kind": "kind",
    "Namespace": "namespace",
    "Name": "name",
    "UID": "uid",
    "APIVersion": "apiVersion",
    "ResourceVersion": "resourceVersion",
    "FieldPath": "fieldPath",
}
# What never changes: the internal name, and that of events.k8s.io.
FIXED: Final = (
    ("reason", "reason"),
    ("message", "note"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reason", "reason"),
    ("type", "type"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("reportingController", "reportingController"),
    ("reportingInstance", "reportingInstance"),
)


def check_event(event: Json) -> list[Cause]:
    """Events of the core group, and the part of the checks that those of events.k8s.io share on every write."""
    if "regarding" in event:
        return _check_event(event, event["regarding"], "reportingController", event.get("note", ""))
    return _check_event(event, event.get("involvedObject") or {}, "reportingComponent", event.get("message", ""))


def _check_event(event: Json, involved: Json, controller: str, note: str) -> list[Cause]:
    namespace, found = (event.get("metadata") or {}).get("namespace", ""), involved.get("namespace", "")
    causes: list[Cause] = []
    timed = bool(event.get("eventTime"))
    free = ("default", "kube-system") if timed else ("default",)
    if (not found and namespace not in free) or (found and found != namespace and not timed):
        causes.append(invalid("involvedObject.namespace", found, "does not match event.namespace"))
    if not timed:
        return causes
    name = event.get(controller, "")
    causes += [] if name else [required(controller)]
    causes += invalid_each(controller, name, names.qualified_name(name))
    for field in ("reportingInstance", "action", "reason"):
        text = event.get(field, "")
        causes += [] if text else [required(field)]
        causes += _check_length(text, field, LONGEST)
    return causes + _check_length(note, "message", LONGEST_NOTE)


def _check_length(text: str, field: str, limit: int) -> list[Cause]:
    return [invalid(field, "", f"can have at most {limit} characters")] if len(text.encode()) > limit else []


def check_new_event(event: Json) -> list[Cause]:
    """A new event of events.k8s.io."""
    causes = check_event(event) + _check_series(event)
    if not event.get("eventTime"):
        causes.append(required("eventTime"))
    kind = event.get("type", "")
    if kind not in ("Normal", "Warning"):
        causes.append(invalid("type", "", f"has invalid value: {kind}"))
    for name in ("firstTimestamp", "lastTimestamp", "count", "source"):
        if event.get(f"deprecated{name[0].upper()}{name[1:]}"):
            causes.append(invalid(name, "", "needs to be unset"))
    return causes


def _check_series(event: Json) -> list[Cause]:
    series = event.get("series")
    if series is None:
        return []
    causes = [] if series.get("count", 0) >= 2 else [invalid("series.count", "", "should be at least 2")]
    return causes if series.get("lastObservedTime") else [*causes, required("series.lastObservedTime")]


def check_new_event_update(new: Json, old: Json) -> list[Cause]:
    """Nothing but the series and the metadata changes."""
    causes = _check_series(new) if new.get("series") != old.get("series") else []
    if new.get("regarding") != old.get("regarding"):
        reference = new.get("regarding") or {}
        shown = {name: reference.get(member, "") for name, member in REFERENCE.items()}
        causes.append(invalid("involvedObject", shown, names.IMMUTABLE))
    for name, field in FIXED:
        if new.get(field) != old.get(field):
            empty = 0 if name == "count" else None if "Time" in name else ""
            causes.append(invalid(name, new.get(field) or empty, names.IMMUTABLE))
    return causes
