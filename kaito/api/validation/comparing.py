"""Whether two pieces of a spec are the same, as Go compares its structs: an absent string is an empty one, an absent
`presetOptions` an empty one, but an empty list is not an absent one."""

from __future__ import annotations

from typing import Any

from kaito.api.models.base import ApiModel
from kaito.api.models.spec import GpuPartition, PresetSpec


def _struct(model: ApiModel) -> dict[str, Any]:
    return {key: value for key, value in model.to_object().items() if value != "" and value != {}}


def presets_differ(old: PresetSpec | None, new: PresetSpec | None) -> bool:
    """Whether any field of a preset changed."""
    if old is None or new is None:
        return old is not new
    options = [_struct(one.preset_options) if one.preset_options else {} for one in (old, new)]
    rest = [{key: value for key, value in _struct(one).items() if key != "presetOptions"} for one in (old, new)]
    return options[0] != options[1] or rest[0] != rest[1]


def partitions_differ(old: GpuPartition | None, new: GpuPartition | None) -> bool:
    """Whether any field of a partition changed."""
    if old is None or new is None:
        return old is not new
    return _struct(old) != _struct(new)
