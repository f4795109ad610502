"""Asking docker's credential helpers: programs `docker-credential-<name>` that answer `get` with JSON on stdout."""

import json
import re
import subprocess
from typing import Final

from kaito_runtime.reporting import log

_SECONDS: Final = 30
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")


def ask_helper(name: str, server: str) -> tuple[str, str] | None:
    """Return (user, secret) for `server` from the helper `name`, or None when it has none or cannot be used.

    The user `<token>` means that the secret is an identity token. What goes wrong is logged, without the answer: other
    credentials may do.
    """
    program = f"docker-credential-{name}"
    if not _NAME.fullmatch(name):
        log("credential-helper", level="warning", helper=name[:64], why="this is no name of a helper")
        return None
    try:
        result = subprocess.run(
            [program, "get"], input=server, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        log("credential-helper", level="warning", helper=program, why="it is not installed")
        return None
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        log("credential-helper", level="warning", helper=program, why=f"it cannot be run ({type(error).__name__})")
        return None
    if result.returncode:
        if "credentials not found" not in result.stdout:
            log("credential-helper", level="warning", helper=program, why=f"it ended with {result.returncode}")
        return None
    try:
        answer = json.loads(result.stdout)
        return str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        log("credential-helper", level="warning", helper=program, why="its answer is not a user and a secret")
        return None
