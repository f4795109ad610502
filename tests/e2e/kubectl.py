"""kubectl as the tests use it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples/fine-tuning/kaito_workspace_tuning_phi_3.yaml"


def find_kubectl() -> str | None:
    """kubectl from the PATH or beside the real API server."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    return shutil.which("kubectl") or (shutil.which("kubectl", path=assets) if assets else None)


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl against one cluster."""

    program: str
    kubeconfig: str
    namespace: str = "default"

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """The finished process, whatever its exit code."""
        return subprocess.run(
            [self.program, "--namespace", self.namespace, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "KUBECONFIG": self.kubeconfig},
            check=False,
        )

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Standard output; the test fails when kubectl does."""
        done = self.run(*arguments, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        """The parsed `-o json` output."""
        return dict(json.loads(self(*arguments, "-o", "json")))

    def apply(self, manifest: str) -> str:
        """Apply a manifest given as text."""
        return self("apply", "-f", "-", stdin=manifest)

    def names(self, kind: str) -> list[str]:
        """The names of all objects of a kind in the namespace."""
        return self("get", kind, "-o", "jsonpath={.items[*].metadata.name}").split()

    def in_namespace(self, namespace: str) -> Kubectl:
        """The same for another namespace."""
        return Kubectl(self.program, self.kubeconfig, namespace)


def eventually(condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """Poll until `condition` gives something true, and return that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)


def tuning_manifest(name: str = "workspace-tuning-phi-3", **replacements: str) -> str:
    """The example's manifest with image and secret filled in as its comments say, and texts replaced."""
    text = EXAMPLE.read_text()
    text = text.replace('"<YOUR_ACR>.azurecr.io/<YOUR_IMAGE>:<TAG>"', f'"demo.azurecr.io/adapters/{name}:v1"')
    text = text.replace('"<YOUR_PUSH_SECRET>"', "kaito-registry").replace("workspace-tuning-phi-3", name)
    for old, new in replacements.items():
        assert old in text, f"the example does not contain {old!r}"
        text = text.replace(old, new)
    return text
