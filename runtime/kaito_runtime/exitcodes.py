"""Exit codes of `kaito-runtime`: what a Job's podFailurePolicy reads to tell lasting failures from passing ones.

The numbers follow sysexits.h where it has a fitting name. The operator keeps the same table.
"""

from typing import Final

OK: Final = 0
UNEXPECTED: Final = 1
"""A defect of ours or of the environment; may pass when tried again."""
USAGE: Final = 2
"""The command line is wrong."""
BAD_CONFIG: Final = 64
"""The training configuration or the mirror map is wrong."""
BAD_DATA: Final = 65
"""The data can be fetched but not used: empty, broken, without a usable column."""
NOT_FOUND: Final = 66
"""A URL, repository, image or file that was asked for does not exist (404)."""
UNAVAILABLE: Final = 69
"""An endpoint could not be reached or answered 5xx until retries ran out."""
TEMPORARY: Final = 75
"""Something that passes by itself: no space, interrupted, lock not obtained."""
REFUSED: Final = 77
"""The other side does not accept our credentials (401, 403)."""

PERMANENT: Final = frozenset({USAGE, BAD_CONFIG, BAD_DATA, NOT_FOUND, REFUSED})
"""Trying again without changing something cannot help."""
