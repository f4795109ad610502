"""How long a context the user asked for, read from the inference configuration."""

from __future__ import annotations

import re

_KEY = "max-model-len:"
_NUMBER = re.compile(r"[+-]?[0-9]+")


def explicit_max_model_len(text: str) -> int | None:
    """`vllm.max-model-len` of an `inference_config.yaml`, or None.

    Kaito's estimator does not parse the YAML, it scans lines, and this does the same: a key at least two columns
    deeper than the last line `vllm:`, a plain decimal number as its value; the first such key decides, even when its
    value is none.
    """
    section: int | None = None
    for raw in text.split("\n"):
        line = raw.rstrip("\r")
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        depth = len(line) - len(line.lstrip(" \t"))
        if section is not None and depth <= section:
            section = None
        if section is None:
            if stripped == "vllm:":
                section = depth
            continue
        if depth >= section + 2 and stripped.startswith(_KEY):
            return _positive(stripped[len(_KEY) :].strip())
    return None


def _positive(text: str) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = int(text)
    return value if 0 < value < 2**63 else None
