"""Putting a cluster into a kubeconfig that other clusters share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml


def merge_kubeconfig(source: Path, *, into: Path, name: str) -> None:
    """Add the only context of `source` to `into` as `name`, and make it the current one.

    What `into` holds under other names stays. ValueError when it is not a kubeconfig; it is replaced whole or not
    at all, readable by its owner only.
    """
    added = yaml.safe_load(source.read_text())
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    if into.exists():
        try:
            present = yaml.safe_load(into.read_text())
        except yaml.YAMLError as error:
            raise ValueError(f"{into} is not YAML: {error}") from error
        present = {} if present is None else present
        if not isinstance(present, dict) or present.get("kind", "Config") != "Config":
            raise ValueError(f"{into} is not a kubeconfig; name another file with --kubeconfig")
        merged |= present
    context = {**added["contexts"][0]["context"], "cluster": name, "user": name}
    for key, entry in (
        ("clusters", {"name": name, "cluster": added["clusters"][0]["cluster"]}),
        ("users", {"name": name, "user": added["users"][0]["user"]}),
        ("contexts", {"name": name, "context": context}),
    ):
        merged[key] = [old for old in merged.get(key) or () if old.get("name") != name] + [entry]
    merged["current-context"] = name
    into.parent.mkdir(parents=True, exist_ok=True)
    temporary = into.with_name(f".{into.name}.new")
    temporary.touch(mode=0o600)
    temporary.write_text(yaml.safe_dump(merged, sort_keys=False))
    os.replace(temporary, into)
