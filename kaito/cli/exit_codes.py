"""What the `kaito` command's exit codes mean."""

EXIT_FAILED = 1
"""A scenario or a cluster failed."""
EXIT_USAGE = 2
"""The command line or a file given to it is wrong."""
EXIT_INTERRUPTED = 130
"""The user stopped it."""
