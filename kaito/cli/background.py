"""`kaito up`, `kaito down` and `kaito status`: a cluster in the background."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Literal, cast

from pydantic import ValidationError

from kaito.cli.exit_codes import EXIT_FAILED, EXIT_USAGE
from kaito.cli.interrupts import clean_up_on_interrupt
from kaito.cluster.base import TIERS, ClusterError, ClusterOptions
from kaito.cluster.checking import check_startable
from kaito.cluster.daemon import name_option, start_daemon, stop_daemon
from kaito.cluster.folders import ClusterFolder
from kaito.cluster.kubeconfigs import merge_kubeconfig, read_kubeconfig
from kaito.cluster.mirrors import MirrorMap, MirrorTargetError
from kaito.cluster.states import DaemonState, read_state
from kaito.scenario.yamlfiles import ScenarioFileError, read_document

OPERATORS = ("kaito", "none")
CONTROLLERS = ("all", "none")


def up_command(
    name: str,
    *,
    tier: str,
    operator: str,
    controllers: str,
    provider: str,
    kubeconfig: Path | None,
    images: Path | None,
    mirrors: Path | None,
) -> int:
    """Start the cluster and print what to type next."""
    for flag, value, choices in (
        ("--cluster", tier, TIERS),
        ("--operator", operator, OPERATORS),
        ("--controllers", controllers, CONTROLLERS),
    ):
        if value not in choices:
            return _usage(f"{flag} {value}: choose one of: {', '.join(choices)}")
    try:
        options = ClusterOptions(
            operator=cast(Literal["kaito", "none"], operator),
            controllers=cast(Literal["all", "none"], controllers),
            provider=provider,
            images=images,
            mirrors=_read_mirrors(mirrors) if mirrors else MirrorMap(),
        )
        check_startable(tier, options)
        if kubeconfig is not None:
            _check_kubeconfig(kubeconfig)
        clean_up_on_interrupt()
        state = start_daemon(name, tier, options, lambda text: print(f"  {text}", flush=True))
        if kubeconfig is not None and state.kubeconfig:
            merge_kubeconfig(Path(state.kubeconfig), into=kubeconfig, name=f"kaito-{name}")
    except ValueError as error:
        return _usage(str(error))
    except ClusterError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    for line in welcome(state):
        print(line)
    return 0


def down_command(name: str, *, purge: bool) -> int:
    """Stop the cluster; fine when it is not running."""
    try:
        known = ClusterFolder.named(name).root.exists()
        was_running = stop_daemon(name, purge=purge)
    except ValueError as error:
        return _usage(str(error))
    except ClusterError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    if not was_running and not known:
        print(f"there is no cluster {name}")
        return 0
    print(f"cluster {name} {'has been stopped' if was_running else 'was not running'}{'; its state is gone' * purge}")
    return 0


def status_command(name: str, *, output: str) -> int:
    """Print the state; 0 when the cluster is running with all its parts, 1 otherwise."""
    if output not in ("text", "json"):
        return _usage(f"-o {output}: choose text or json")
    try:
        state = read_state(name)
    except ValueError as error:
        return _usage(str(error))
    except ClusterError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    if output == "json":
        print(json.dumps(state.as_json(), indent=2))
    else:
        for line in described(state):
            print(line)
    return 0 if state.running and state.problem is None else EXIT_FAILED


def described(state: DaemonState) -> list[str]:
    """What `kaito status` prints."""
    option = name_option(state.name)
    if state.phase == "stopped":
        return [f"cluster {state.name} is not running; start it with: kaito up{option}"]
    if not state.running:
        return [f"cluster {state.name} is {state.phase}; what it does is in {state.log}"]
    lines = [f"{key + ':':<12} {value}" for key, value in asdict(state).items() if value is not None]
    if state.problem:
        lines.append(f"start it again with: kaito down{option} && kaito up{option}; its state is kept")
    return lines


def welcome(state: DaemonState) -> list[str]:
    """What `kaito up` prints: where the cluster is, and the next three commands."""
    example = "examples/fine-tuning/kaito_workspace_tuning_phi_3.yaml"
    reached = (
        [
            "services:   ports below 1024 are closed to this user; from outside pods reach a service with",
            f"            curl -x {state.http_proxy} http://$CLUSTERIP/chat … or kubectl port-forward",
        ]
        if state.http_proxy
        else []
    )
    return [
        f"cluster {state.name} is up: {state.server}",
        f"kubeconfig: {state.kubeconfig}",
        f"registry:   {state.registry} stands in for every *.azurecr.io; its Secret is kaito-registry",
        *reached,
        "",
        "Next:",
        f"  export KUBECONFIG={shlex.quote(state.kubeconfig or '')}",
        f"  kubectl apply -f {example}    # fill in image and imagePushSecret first",
        "  kubectl get workspace -w",
    ]


def _check_kubeconfig(path: Path) -> None:
    """ValueError where the cluster could not be put into the file: better refused before anything has been started."""
    try:
        read_kubeconfig(path)
    except OSError as error:
        raise ValueError(f"--kubeconfig {path}: {error.filename}: {error.strerror}") from error


def _read_mirrors(path: Path) -> MirrorMap:
    try:
        _, data = read_document(path)
        return MirrorMap.model_validate({} if data is None else data).resolved(path.parent)
    except ScenarioFileError as error:
        raise ValueError(f"--mirrors {error}") from error
    except MirrorTargetError as error:
        raise ValueError(f"--mirrors {path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ") if place else "write a mapping with urls and registries"
        raise ValueError(f"--mirrors {path}: {f'{place}: ' * bool(place)}{said}") from error


def _usage(message: str) -> int:
    print(message, file=sys.stderr)
    return EXIT_USAGE
