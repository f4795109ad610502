"""`kaito-runtime models`: build, import and list models."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from kaito_runtime.models.architectures import ARCHITECTURES
from kaito_runtime.reporting import log

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Build, import and list models.",
)


@app.command()
def build(
    architecture: Annotated[
        str, typer.Option(help=f"Architecture to stand in for: {', '.join(ARCHITECTURES)}.", show_default=True)
    ] = "phi3",
    output: Annotated[Path | None, typer.Option(help="Copy the model here as well; made if missing.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights and data order.")] = 0,
) -> None:
    """Build a tiny stand-in model: a quarter of a million weights, a chat template, and a few hundred facts.

    It is pretrained for about ten seconds on one core and kept in the cache; the second call finds it there. Prints the
    model's folder on the last line.
    """
    from kaito_runtime.models.building import stand_in

    folder = stand_in(architecture, seed=seed)
    if output is not None:
        shutil.copytree(folder, output, dirs_exist_ok=True)
        folder = output
    log("model-ready", architecture=architecture, folder=str(folder))
    typer.echo(folder)
