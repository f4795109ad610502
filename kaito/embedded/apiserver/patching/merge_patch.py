"""JSON merge patch: the client's in-memory stand-in needs the same one, so it lies with the client."""

from __future__ import annotations

from kaito.kube.merge_patch import merge_patch

__all__ = ["merge_patch"]
