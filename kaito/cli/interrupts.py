"""What Ctrl-C does at which time: end at once while there is nothing to clean up, raise where there is."""

from __future__ import annotations

import signal


def end_at_once_on_interrupt() -> None:
    """From here on Ctrl-C ends the process without a word; a shell sees exit code 130.

    Python's own handler raises in the middle of an import and shows a traceback of it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # Not where the caller has it ignored.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def clean_up_on_interrupt() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt: something has been started or made that must be taken back."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
