"""Putting a cluster into a kubeconfig that other clusters share."""

from __future__ import annotations

import errno
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
    merged = read_kubeconfig(into)
    context = {**added["contexts"][0]["context"], "cluster": name, "user": name}
    for key, entry in (
        ("clusters", {"name": name, "cluster": added["clusters"][0]["cluster"]}),
        ("users", {"name": name, "user": added["users"][0]["user"]}),
        ("contexts", {"name": name, "context": context}),
    ):
        merged[key] = [old for old in merged.get(key) or () if old.get("name") != name] + [entry]
    merged["current-context"] = name
    into = into.resolve()  # A link stays a link.
    temporary = into.with_name(f".{into.name}.new")
    temporary.touch(mode=0o600)
    temporary.write_text(yaml.safe_dump(merged, sort_keys=False))
    os.replace(temporary, into)


def read_kubeconfig(path: Path) -> dict[str, Any]:
    """A kubeconfig that is to be written again: an empty one where there is none yet.

    ValueError when the file is not a kubeconfig, OSError when it or its folder cannot be written.
    """
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))
    if not path.exists():
        return merged
    if not path.is_file():
        raise ValueError(f"{path} is no regular file; name another one with --kubeconfig")
    try:
        present = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML; name another file with --kubeconfig") from error
    present = {} if present is None else present
    if not isinstance(present, dict) or present.get("kind", "Config") != "Config":
        raise ValueError(f"{path} is not a kubeconfig; name another file with --kubeconfig")
    for key in ("clusters", "users", "contexts"):
        entries = present.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError(f"{path}: {key}: must be a list of mappings; name another file with --kubeconfig")
    return merged | present
