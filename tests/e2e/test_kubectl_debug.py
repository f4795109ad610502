"""`kubectl debug` adds a container to a running pod."""

from __future__ import annotations

import pytest

from tests.e2e.kubectl import Kubectl

pytestmark = pytest.mark.e2e


def test_a_debug_container_takes_input_keeps_its_log_and_is_described(kubectl: Kubectl) -> None:
    kubectl("run", "patient", "--image=busybox", "--", "sleep", "1000")
    try:
        kubectl("wait", "pod/patient", "--for=condition=Ready", "--timeout=20s")
        debug = ("debug", "patient", "--image=busybox", "--target=patient", "--profile=general", "--container")
        assert "typed" in kubectl(*debug, "first", "-i", "--", "sh", stdin="echo typed; exit\n")
        kubectl(*debug, "second", "--", "sh", "-c", "echo seen; sleep 1000")
        kubectl(
            "wait",
            "pod/patient",
            "--timeout=20s",
            "--for=jsonpath={.status.ephemeralContainerStatuses[1].state.running}",
        )
        assert kubectl("logs", "patient", "--container", "second") == "seen\n"
        assert kubectl("exec", "patient", "--container", "second", "--", "echo", "inside") == "inside\n"
        described = kubectl("describe", "pod", "patient")
        assert "Ephemeral Containers:\n  first:" in described
        assert "Reason:       Completed" in described
    finally:
        kubectl("delete", "pod", "patient", "--now")
