"""The `kaito` command's parts and options; each part's work is imported when it is asked for."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="kaito",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
snapshot_app = typer.Typer(help="A cluster's objects as a folder of YAML files.", no_args_is_help=True)
app.add_typer(snapshot_app, name="snapshot")

ClusterName = Annotated[str, typer.Option("--name", help="The background cluster's name.")]
TierOption = Annotated[
    str, typer.Option("--cluster", help="embedded: nothing but Python; envtest: the real kube-apiserver and etcd.")
]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kaito {metadata.version('kaito')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Kaito's workspace flow on this machine: apply a Workspace, get a tuned model served."""


@app.command()
def run(
    scenario: Annotated[Path, typer.Argument(help="The scenario file.")],
    cluster: TierOption = "embedded",
    out: Annotated[Path, typer.Option("--out", help="Where report.html, run.json and junit.xml go.")] = Path("out"),
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, also on a terminal.")] = False,
) -> None:
    """Run a scenario on a fresh cluster, then remove it.

    Exit code 0: every step passed; 1: one did not; 2: the file is wrong.
    """
    from kaito.cli.running import run_command

    raise typer.Exit(run_command(scenario, tier=cluster, out=out, plain=plain))


@app.command()
def up(
    cluster: TierOption = "embedded",
    name: ClusterName = "default",
    operator: Annotated[
        str, typer.Option("--operator", help="kaito, or none: bring a workspace controller of your own.")
    ] = "kaito",
    controllers: Annotated[
        str, typer.Option("--controllers", help="all, or none: bring controller manager and scheduler of your own.")
    ] = "all",
    provider: Annotated[str, typer.Option("--provider", help="The GPU node provider.")] = "fake-gpu",
    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", help="Also put the cluster into this kubeconfig file.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="A YAML file that maps further images to local programs.")
    ] = None,
    mirrors: Annotated[
        Path | None, typer.Option("--mirrors", help="A YAML file that maps further addresses to local files.")
    ] = None,
) -> None:
    """Start a cluster that keeps running in the background."""
    from kaito.cli.background import up_command

    raise typer.Exit(
        up_command(
            name,
            tier=cluster,
            operator=operator,
            controllers=controllers,
            provider=provider,
            kubeconfig=kubeconfig,
            images=images,
            mirrors=mirrors,
        )
    )


@app.command()
def down(
    name: ClusterName = "default",
    purge: Annotated[bool, typer.Option("--purge", help="Also delete the cluster's state.")] = False,
) -> None:
    """Stop a background cluster; its state is kept.

    Every process it started is ended. The next `up` goes on from the state.
    """
    from kaito.cli.background import down_command

    raise typer.Exit(down_command(name, purge=purge))


@app.command()
def status(
    name: ClusterName = "default",
    output: Annotated[str, typer.Option("--output", "-o", help="text or json.")] = "text",
) -> None:
    """Say whether a background cluster is running, and where.

    Exit code 0: it is running; 1: it is not, not yet, or a part of it has failed.
    """
    from kaito.cli.background import status_command

    raise typer.Exit(status_command(name, output=output))


@snapshot_app.command("save")
def snapshot_save(
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet or is empty.")],
    name: ClusterName = "default",
) -> None:
    """Write every object of an embedded cluster as YAML.

    The cluster may be running or stopped.
    """
    from kaito.cli.snapshots import save_command

    raise typer.Exit(save_command(folder, name))


@snapshot_app.command("restore")
def snapshot_restore(
    folder: Annotated[Path, typer.Argument(help="A folder that `snapshot save` wrote.")],
    name: ClusterName = "default",
) -> None:
    """Make a saved folder the state of a new embedded cluster."""
    from kaito.cli.snapshots import restore_command

    raise typer.Exit(restore_command(folder, name))


@app.command()
def providers() -> None:
    """List the GPU node providers that are installed."""
    from kaito.providers.registry import registrations

    for registration in registrations(load=True):
        state = registration.problem or "ok"
        typer.echo(f"{registration.name:<16} {registration.distribution:<24} {state}")


@app.command("instance-types")
def instance_types() -> None:
    """List the instance types a Workspace may ask for."""
    from kaito.cli.instance_types import print_instance_types

    print_instance_types()


@app.command()
def version() -> None:
    """Print the version."""
    _print_version(True)
