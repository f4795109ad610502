"""Exit codes of `kaito-runtime`, as the operator understands them.

`runtime/kaito_runtime/exitcodes.py` holds the same numbers; a test compares the two. The numbers follow BSD `sysexits`
where it has a name for the case.
"""

from __future__ import annotations

from typing import Final

OK: Final = 0
UNEXPECTED: Final = 1
USAGE: Final = 2
BAD_CONFIG: Final = 64
BAD_DATA: Final = 65
NOT_FOUND: Final = 66
UNAVAILABLE: Final = 69
TEMPORARY: Final = 75
REFUSED: Final = 77

PERMANENT: Final = (USAGE, BAD_CONFIG, BAD_DATA, NOT_FOUND, REFUSED)
"""Codes that no retry can help: the tuning Job's podFailurePolicy fails the Job on them."""
RETRYABLE: Final = (UNAVAILABLE, TEMPORARY)
