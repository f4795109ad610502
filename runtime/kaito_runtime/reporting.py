"""What a run tells the outside: structured log lines, and the last sentence of a run that failed.

Lines are `key=value` pairs, or JSON objects with `KAITO_LOG_FORMAT=json`; both start with time, level and event, so
that `grep` and a log collector read the same thing.
"""

import contextlib
import json
import os
import re
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from kaito_runtime.paths import in_contract

FORMAT_VARIABLE: Final = "KAITO_LOG_FORMAT"
TERMINATION_VARIABLE: Final = "KAITO_TERMINATION_LOG"
_TERMINATION_LOG: Final = "/dev/termination-log"
_LONGEST_TERMINATION_MESSAGE: Final = 4096
_PLAIN = re.compile(r"[\w./:@%+,~#\-\[\]]+")

Value = str | int | float | bool | None

_lock = threading.Lock()


def log(event: str, *, level: str = "info", stream: TextIO | None = None, **fields: Value) -> None:
    """Write one line about `event` to stdout (or `stream`); fields that are None are left out."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    present = {
        name: in_contract(value) if isinstance(value, str) else value
        for name, value in fields.items()
        if value is not None
    }
    if os.environ.get(FORMAT_VARIABLE) == "json":
        line = json.dumps({"time": now, "level": level, "event": event, **present}, ensure_ascii=False)
    else:
        pairs = [f"{name}={_plain(value)}" for name, value in present.items()]
        line = " ".join([f"time={now}", f"level={level}", f"event={event}", *pairs])
    with _lock:
        print(line, file=stream or sys.stdout, flush=True)


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def report_failure(sentence: str) -> None:
    """Say `sentence` as the last line of stderr and as the container's termination message."""
    sentence = in_contract(sentence)
    named = os.environ.get(TERMINATION_VARIABLE)
    place = Path(named or _TERMINATION_LOG)
    if named or place.exists():
        with contextlib.suppress(OSError):
            place.write_text(sentence[:_LONGEST_TERMINATION_MESSAGE] + "\n", encoding="utf-8")
    print(f"error: {sentence}", file=sys.stderr, flush=True)
