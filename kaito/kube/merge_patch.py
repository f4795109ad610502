"""JSON merge patch (RFC 7386), as Kubernetes applies it."""

from __future__ import annotations

from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """The patched value; neither argument is changed, unchanged parts are shared with `target`."""
    if not isinstance(patch, dict):
        return _without_nulls(patch) if isinstance(patch, list) else patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def _without_nulls(value: Any) -> Any:
    """Members that are null are dropped below lists too, as the real server's library does; null items stay."""
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value
