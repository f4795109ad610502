"""The `kaito-runtime` command: a table of subcommands, each imported when it is used.

Keeping the table here and the commands in their rooms makes `kaito-runtime --help`, `download`, `pull` and `push` start
without torch.
"""

import errno
import importlib
import os
import sys
import traceback
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from kaito_runtime import __version__, exitcodes
from kaito_runtime.errors import RuntimeFailure, shorten
from kaito_runtime.reporting import report_failure


@dataclass(frozen=True)
class _Place:
    """Where a subcommand lives, and its line in the overview."""

    module: str
    name: str
    summary: str


COMMANDS = {
    "tune": _Place("kaito_runtime.tuning.command", "tune", "Tune a model with LoRA or QLoRA."),
    "serve": _Place("kaito_runtime.serving.command", "serve", "Serve a model, with adapters, over HTTP."),
    "download": _Place("kaito_runtime.downloading.command", "download", "Fetch data files, or a model's files."),
    "pull": _Place("kaito_runtime.images.command", "pull", "Unpack an adapter image into a directory."),
    "push": _Place("kaito_runtime.images.command", "push", "Pack an adapter into an image and push it."),
    "pause": _Place("kaito_runtime.images.command", "pause", "Do nothing until the pusher is done or has failed."),
    "models": _Place("kaito_runtime.models.command", "app", "Build, import and list models."),
}


_NAMED_WRONGLY = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG}
)
"""What is wrong with a path that the user gave."""

_INTERRUPTED = 130
"""What a shell says of a process that Ctrl-C ended."""


class _LazyGroup(typer.core.TyperGroup):
    """A group whose members are imported on first use; the overview needs none of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        if _only_overview():
            return typer.core.TyperCommand(cmd_name, help=place.summary)
        return _load(cmd_name, place)


def _only_overview() -> bool:
    """Whether this process will do no more than print the list of subcommands."""
    return not any(word in COMMANDS for word in sys.argv[1:])


def _load(name: str, place: _Place) -> Any:
    member = getattr(importlib.import_module(place.module), place.name)
    if isinstance(member, typer.Typer):
        group = typer.main.get_group(member)
        group.name = name
        return group
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name, help=member.__doc__)(member)
    return typer.main.get_command(single)


app = typer.Typer(
    cls=_LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Tune and serve language models: LoRA and QLoRA tuning, adapters as OCI images, an HTTP server.",
)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; an expected failure becomes one sentence and its exit code (see `exitcodes`)."""
    try:
        app()
    except SystemExit as end:
        _leave(end)
    except RuntimeFailure as failure:
        report_failure(str(failure))
        sys.exit(failure.code)
    except KeyboardInterrupt:
        report_failure("interrupted")
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        _leave_quietly()
    except OSError as error:
        _file_trouble(error)
    except Exception as error:
        _unexpected(error)


def _leave(end: SystemExit) -> NoReturn:
    """End with the code of `end`; once torch is loaded, without the seconds that taking it down would cost."""
    if end.code == _INTERRUPTED:  # typer has made this of a KeyboardInterrupt
        report_failure("interrupted")
    if "torch" in sys.modules and isinstance(end.code, int | None):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0)
    raise end


def _file_trouble(error: OSError) -> NoReturn:
    """End with one sentence about a file that cannot be read or written, where that is not for us to mend."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        report_failure(f"{error.filename or 'the disk'}: {error.strerror}")
        sys.exit(exitcodes.TEMPORARY)
    if error.filename is None or error.errno not in _NAMED_WRONGLY:
        _unexpected(error)
    report_failure(f"{error.filename} cannot be used: {error.strerror}")
    sys.exit(exitcodes.USAGE)


def _unexpected(error: Exception) -> NoReturn:
    """End with one sentence about something that should not happen; with KAITO_DEBUG, with its traceback too."""
    if os.environ.get("KAITO_DEBUG"):
        traceback.print_exception(error)
    report_failure(f"{type(error).__name__}: {shorten(str(error)) or 'no message'} (KAITO_DEBUG=1 shows where)")
    sys.exit(exitcodes.UNEXPECTED)


def _leave_quietly() -> NoReturn:
    """End without a word because nobody reads our output any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(exitcodes.UNEXPECTED)
