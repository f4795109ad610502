"""The `kaito` console script: nothing but the standard library is imported before Ctrl-C has been taken care of."""

from __future__ import annotations

import io
import os
import signal
import sys

from kaito.cli.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED
from kaito.cli.interrupts import end_at_once_on_interrupt


def main() -> None:
    """The console script."""
    end_at_once_on_interrupt()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # A terminal that is not UTF-8 shows a question mark for a tick.
    from kaito.cli.commands import app

    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has seen enough. The interpreter must not try to flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"kaito: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # From here on nothing is left to clean up.
