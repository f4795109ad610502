"""`kaito-runtime tune`."""

import contextlib
import os
import signal
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kaito_runtime import sentinels
from kaito_runtime.errors import RuntimeFailure, TemporaryFailure, shorten
from kaito_runtime.tuning.launching import launch

if TYPE_CHECKING:
    from kaito_runtime.tuning.request import Request


def tune(
    model: Annotated[
        str | None,
        typer.Option(help="Folder, owner/name or tiny:<architecture> [config, else /workspace/weights].", metavar="M"),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Data file or folder; may be repeated [config, else /mnt/data].", metavar="FILE"),
    ] = None,
    method: Annotated[str | None, typer.Option(help="lora or qlora [as the configuration says, else qlora].")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for the adapter [config, else /mnt/results].")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file with training_config [/mnt/config/training_config.yaml where it exists]."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Section.key=value, e.g. TrainingArguments.seed=7; may be repeated."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over; ignore checkpoints in the output.")] = False,
    base_name: Annotated[
        str | None, typer.Option(help="What the adapter names as its base model [the value of --model].")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Serve Prometheus metrics here while tuning; 0 picks a port.", min=0, max=65535),
    ] = None,
    metrics_host: Annotated[str, typer.Option(help="Address for the metrics.")] = "127.0.0.1",
    processes: Annotated[int | None, typer.Option(help="Processes to tune with [one for each GPU].", min=1)] = None,
) -> None:
    """Tune a model with LoRA, or with QLoRA on 4-bit or 8-bit base weights.

    Data may be parquet, jsonl, json, csv or arrow with a column `messages`, or `prompt` and `completion`, or
    `instruction`, `context` and `response`, or `text`; other names are mapped in DatasetConfig. Only answers (and their
    end) are learnt unless TrainingArguments.completion_only_loss is false. Rows of questions and answers go through the
    model's chat template.

    The output folder gets adapter_config.json, adapter_model.safetensors, tuning_summary.json and, last,
    fine_tuning_completed.txt; a run that fails leaves fine_tuning_failed.txt. With
    TrainingArguments.save_strategy=steps a killed run goes on from its last checkpoint when it is started again.

    Without a configuration upstream's template for the method is used; for a tiny: stand-in one that suits it.

    Exit codes: 0 done; 2 usage; 64 bad configuration; 65 bad data; 66 not found; 69 endpoint unavailable;
    75 interrupted; 77 refused; 1 anything else.
    """
    from kaito_runtime.tuning.preparing import Options

    options = Options(
        model=model,
        data=tuple(data or ()),
        method=method,
        output=output,
        config=config,
        overrides=tuple(settings or ()),
        base_name=base_name,
    )
    signal.signal(signal.SIGTERM, _terminate)
    destination = options.destination()
    if "WORLD_SIZE" in os.environ:
        # One of several processes; the one that launched us holds the lock, and reports what we leave in the folder.
        try:
            with _failures_left_in(destination, first_only=True):
                _tune_once(
                    options.prepare(destination, fresh=fresh, metrics_port=metrics_port, metrics_host=metrics_host)
                )
        except RuntimeFailure as failure:
            raise typer.Exit(failure.code) from failure
        return
    with sentinels.tuning_lock(destination), _failures_left_in(destination):
        sentinels.clear(destination)
        request = options.prepare(destination, fresh=fresh, metrics_port=metrics_port, metrics_host=metrics_host)
        count = processes or _gpus()
        if count > 1:
            launch(count, destination)
        else:
            _tune_once(request)


def _tune_once(request: "Request") -> None:
    from kaito_runtime.tuning.running import run

    run(request)


@contextlib.contextmanager
def _failures_left_in(folder: Path, *, first_only: bool = False) -> Iterator[None]:
    """Leave the failure sentinel in `folder` for whatever ends the run, so that nothing waits for ever.

    first_only: keep one that is there already; of several processes the first to fail has the reason.
    """

    def leave(reason: str, message: str, *, permanent: bool) -> None:
        with contextlib.suppress(OSError):
            if not (first_only and (folder / sentinels.FAILED).exists()):
                sentinels.report_failed(folder, reason=reason, message=message, permanent=permanent)

    try:
        yield
    except RuntimeFailure as failure:
        leave(failure.reason, str(failure), permanent=failure.permanent)
        raise
    except KeyboardInterrupt:
        leave("Interrupted", "tuning was interrupted", permanent=False)
        raise
    except Exception as error:
        exhausted = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
        sentence = f"tuning failed: {type(error).__name__}: {shorten(str(error)) or 'no message'}"
        if exhausted:
            sentence += "; lower per_device_train_batch_size or max_length, or set gradient_checkpointing"
        leave("OutOfMemory" if exhausted else "Unexpected", sentence, permanent=False)
        if os.environ.get("KAITO_DEBUG"):
            traceback.print_exception(error)
        raise RuntimeFailure(sentence) from error


def _terminate(number: int, frame: types.FrameType | None) -> NoReturn:
    raise TemporaryFailure("tuning was stopped by SIGTERM; it can go on from its last checkpoint")


def _gpus() -> int:
    """Return the number of GPUs without importing torch where there can be none."""
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not os.environ.get("CUDA_VISIBLE_DEVICES"):
        return 0
    import torch

    return int(torch.cuda.device_count())
