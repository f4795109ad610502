"""Where a cluster keeps what it needs: below the XDG state folder, or in a temporary one."""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaito.cluster.base import ClusterError, Tier
from kaito.embedded.pki import write_private

CLUSTER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


def state_home() -> Path:
    """`$XDG_STATE_HOME/kaito`, by default `~/.local/state/kaito`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state").absolute() / "kaito"


def cache_home() -> Path:
    """`$XDG_CACHE_HOME`, by default `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute()


@dataclass(frozen=True)
class ClusterFolder:
    """One cluster's files below `root`."""

    root: Path

    @classmethod
    def named(cls, name: str) -> ClusterFolder:
        """The folder of a cluster that `kaito up` keeps; ValueError for a name that is no folder name."""
        if not CLUSTER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a cluster name: use lower-case letters, digits and dashes")
        return cls(state_home() / "clusters" / name)

    def create(self) -> None:
        """Make the folder, closed to other users; OSError says what to do when that cannot be."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o700)
        except OSError as error:
            advice = "set XDG_STATE_HOME to a folder that you may write to"
            raise OSError(error.errno, f"{error.strerror}; {advice}", str(self.root)) from error

    @property
    def database(self) -> Path:
        return self.root / "cluster.db"

    @property
    def etcd(self) -> Path:
        return self.root / "etcd"

    @property
    def tier(self) -> Tier | None:
        """Which tier's state this is; None where there is none yet."""
        return "embedded" if self.database.exists() else "envtest" if self.etcd.exists() else None

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def registry(self) -> Path:
        return self.root / "registry"

    @property
    def kubelet(self) -> Path:
        return self.root / "kubelet"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def log(self) -> Path:
        return self.root / "cluster.log"

    @property
    def daemon(self) -> Path:
        """What a running `kaito up` says about itself; there only while it runs, or after a crash."""
        return self.root / "daemon.json"

    @property
    def lock(self) -> Path:
        """Held by the process that runs the cluster."""
        return self.root / "lock"

    def secrets(self) -> dict[str, str]:
        """The admin token and the registry's password, made on first use and kept."""
        path = self.root / "secrets.json"
        if path.exists():
            return _read_json(path)
        made = {"admin_token": secrets.token_urlsafe(32), "registry_password": secrets.token_urlsafe(24)}
        write_private(path, json.dumps(made).encode())
        return made

    def settings(self) -> dict[str, Any]:
        """What should stay the same over restarts, such as ports."""
        path = self.root / "settings.json"
        return _read_json(path) if path.exists() else {}

    def remember(self, **settings: Any) -> None:
        """Keep settings for the next start."""
        path = self.root / "settings.json"
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(self.settings() | settings))
        os.replace(temporary, path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise ClusterError(f"{path} is damaged; delete it and it is made anew") from error
