"""What storage drivers register: CSI drivers, their nodes and capacities, attachments, attribute classes.

pkg/apis/storage/validation.
"""

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
    too_long,
)
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.kinds.validating.selectors import check_selector, not_negative
from kaito.embedded.apiserver.kinds.validating.volumes import check_driver_name
from kaito.embedded.apiserver.schemas import quantities
from kaito.embedded.apiserver.schemas.decoding import emptied

Json = dict[str, Any]
LIFECYCLES: Final = ("Persistent", "Ephemeral")
GROUP_POLICIES: Final = ("File", "None", "ReadWriteOnceWithFSType")
LONGEST_NODE_ID: Final = 256
SHORTEST_TOKEN, LONGEST_TOKEN = 600, 1 << 32  # seconds


def check_csi_driver(driver: Json) -> list[Cause]:
    spec = driver.get("spec") or {}
    causes = [
        not_supported("spec.volumeLifecycleModes", mode, LIFECYCLES)
        for mode in spec.get("volumeLifecycleModes") or ()
        if mode not in LIFECYCLES
    ]
    policy = spec.get("fsGroupPolicy")
    if policy not in (None, *GROUP_POLICIES):
        causes.append(not_supported("spec.fsGroupPolicy", policy, GROUP_POLICIES))
    audiences: list[str] = []
    for index, request in enumerate(spec.get("tokenRequests") or ()):
        path, audience = f"spec.tokenRequests[{index}]", request.get("audience", "")
        if audience in audiences:
            causes.append(duplicate(f"{path}.audience", audience))
        audiences.append(audience)
        seconds = request.get("expirationSeconds")
        if seconds is None:
            continue
        if seconds < SHORTEST_TOKEN:
            detail = "may not specify a duration less than 10 minutes"
            causes.append(invalid(f"{path}.expirationSeconds", seconds, detail))
        if seconds > LONGEST_TOKEN:
            detail = "may not specify a duration larger than 2^32 seconds"
            causes.append(invalid(f"{path}.expirationSeconds", seconds, detail))
    return causes


def check_csi_driver_update(new: Json, old: Json) -> list[Cause]:
    spec, known = new.get("spec") or {}, old.get("spec") or {}
    fields = (("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes"))
    return [
        invalid(f"spec.{shown}", spec.get(field), names.IMMUTABLE)
        for field, shown in fields
        if spec.get(field) != known.get(field)
    ]


def check_csi_node(node: Json) -> list[Cause]:
    causes: list[Cause] = []
    seen: list[str] = []
    for index, driver in enumerate((node.get("spec") or {}).get("drivers") or ()):
        path, name, identity = f"spec.drivers[{index}]", driver.get("name", ""), driver.get("nodeID", "")
        causes += check_driver_name(name, f"{path}.name")
        if not identity:
            causes.append(required(f"{path}.nodeID"))
        if len(identity) > LONGEST_NODE_ID:
            causes.append(too_long(f"{path}.nodeID", LONGEST_NODE_ID))
        causes += not_negative((driver.get("allocatable") or {}).get("count"), f"{path}.allocatable.count")
        keys = driver.get("topologyKeys") or []
        for at, key in enumerate(keys):
            if not key:
                causes.append(required(path))
            if key in keys[:at]:
                causes.append(duplicate(path, key))
            causes += invalid_each(path, key, names.qualified_name(key))
        if name in seen:
            causes.append(duplicate(f"{path}.name", name))
        seen.append(name)
    return causes


def check_csi_node_update(new: Json, old: Json) -> list[Cause]:
    """A driver may come and go, but not change."""
    drivers, known = ((node.get("spec") or {}).get("drivers") or () for node in (new, old))
    return [
        invalid("spec.drivers", _shown_driver(driver), names.IMMUTABLE)
        for former in known
        for driver in drivers
        if driver.get("name") == former.get("name") and driver != former
    ]


def _shown_driver(driver: Json) -> Json:
    """The driver as the server's internal type prints it."""
    allocatable = driver.get("allocatable")
    return {
        "Name": driver.get("name", ""),
        "NodeID": driver.get("nodeID", ""),
        "TopologyKeys": driver.get("topologyKeys") or emptied(driver, "topologyKeys"),
        "Allocatable": None if allocatable is None else {"Count": allocatable.get("count")},
    }


def check_capacity(capacity: Json) -> list[Cause]:
    name = capacity.get("storageClassName", "")
    causes = invalid_each("storageClassName", name, names.subdomain(name))
    causes += check_selector(capacity.get("nodeTopology"), "nodeTopology")
    amount = capacity.get("capacity")
    if amount is not None and quantities.value_of(amount) < 0:
        causes.append(invalid("capacity", amount, names.NOT_NEGATIVE))
    return causes


def check_capacity_update(new: Json, old: Json) -> list[Cause]:
    fields = ("nodeTopology", "storageClassName")
    return [invalid(f, new.get(f), names.IMMUTABLE) for f in fields if new.get(f) != old.get(f)]


def check_attachment(attachment: Json) -> list[Cause]:
    """What every write of a VolumeAttachment is checked for."""
    spec = attachment.get("spec") or {}
    causes = [] if spec.get("attacher") else [required("spec.attacher")]
    source = spec.get("source") or {}
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    both = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
    if name is None and inline is None:
        causes.append(required("spec.source", both))
    elif name is not None and inline is not None:
        causes.append(forbidden("spec.source", both))
    elif name == "":
        detail = "must specify non empty persistentVolumeName"
        causes.append(required("spec.source.persistentVolumeName", detail))
    node = spec.get("nodeName", "")
    return causes + invalid_each("spec.nodeName", node, names.subdomain(node))


def check_attachment_create(attachment: Json) -> list[Cause]:
    spec = attachment.get("spec") or {}
    causes = check_attachment(attachment) + check_driver_name(spec.get("attacher", ""), "spec.attacher")
    name = (spec.get("source") or {}).get("persistentVolumeName")
    if name:
        causes += invalid_each("spec.source.persistentVolumeName", name, names.subdomain(name))
    return causes


def check_attachment_update(new: Json, old: Json) -> list[Cause]:
    if new.get("spec") == old.get("spec"):
        return []
    spec = new.get("spec") or {}
    source = spec.get("source") or {}
    shown = {
        "Attacher": spec.get("attacher", ""),
        "Source": {
            "PersistentVolumeName": source.get("persistentVolumeName"),
            "InlineVolumeSpec": source.get("inlineVolumeSpec"),
        },
        "NodeName": spec.get("nodeName", ""),
    }
    return [invalid("spec", shown, names.IMMUTABLE)]


def check_attributes_class(attributes: Json) -> list[Cause]:
    name = attributes.get("driverName", "")
    causes = [required("driverName")] if not name else []
    if name:
        causes += invalid_each("driverName", name, names.qualified_name(name.lower()))
    parameters = attributes.get("parameters") or {}
    if not parameters:
        causes.append(required("parameters", "must contain at least one key/value pair"))
    causes += [invalid("parameters", key, "field can not be empty.") for key in parameters if not key]
    return causes


def check_attributes_class_update(new: Json, old: Json) -> list[Cause]:
    return [
        forbidden(field, f"updates to {field} are forbidden.")
        for field in ("driverName", "parameters")
        if new.get(field) != old.get(field)
    ]
