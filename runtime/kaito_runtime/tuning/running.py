"""One tuning run from configuration to sentinel."""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from kaito_runtime import __version__, sentinels
from kaito_runtime.errors import BadConfig, Refused
from kaito_runtime.models.loading import count_parameters
from kaito_runtime.models.quantizing import quantized_layers
from kaito_runtime.paths import locate
from kaito_runtime.reporting import log
from kaito_runtime.tuning import adapting, checkpoints
from kaito_runtime.tuning.dataset import Dataset, prepare
from kaito_runtime.tuning.loop import Loop, make_plan
from kaito_runtime.tuning.progress import Metrics, Progress, peak_memory
from kaito_runtime.tuning.request import Request
from kaito_runtime.tuning.results import write_results
from kaito_runtime.tuning.workers import Accelerated, Workers, is_first, join_workers

_LARGE: Final = 1_000_000_000
"""Weights from which activations are recomputed on a GPU unless the configuration says otherwise."""

_WITHOUT_EFFECT: Final = frozenset(
    {
        "output_dir",
        "logging_steps",
        "logging_first_step",
        "save_strategy",
        "save_steps",
        "save_total_limit",
        "resume_from_checkpoint",
        "per_device_eval_batch_size",
        "eval_strategy",
        "eval_steps",
    }
)
"""Training arguments that two runs may differ in and still be the same run."""


def run(request: Request) -> dict[str, Any]:
    """Tune, and return the summary that also lies in the output folder; the success sentinel is written last."""
    _stop_if_useless(request.output)
    with _served_metrics(request) as metrics:
        return _tune(request, metrics)


@contextlib.contextmanager
def _served_metrics(request: Request) -> Iterator[Metrics | None]:
    """Serve the run's metrics from before the model is loaded, in the process that speaks; None where none are to be.

    Raises UsageFailure when the port cannot be had.
    """
    if request.metrics_port is None or not is_first():
        yield None
        return
    metrics = Metrics(request.metrics_port, host=request.metrics_host)
    log("metrics", address=f"http://{request.metrics_host}:{metrics.port}/metrics")
    try:
        yield metrics
    finally:
        metrics.close()


def _tune(request: Request, metrics: Metrics | None) -> dict[str, Any]:
    config, settings = request.config, request.config.training
    began = time.monotonic()
    import torch

    cpu = settings.use_cpu or config.model.device_map == "cpu" or not torch.cuda.is_available()
    workers = join_workers(cpu=cpu)
    device = "cpu" if cpu else f"cuda:{workers.local_rank}" if isinstance(workers, Accelerated) else None
    model, tokenizer = adapting.load_base(request.base, config, device=device)
    context = int(getattr(model.config, "max_position_embeddings", None) or tokenizer.model_max_length)
    data = prepare(request.examples, config, tokenizer, context=context)
    weights = count_parameters(request.base)
    checkpointing = settings.gradient_checkpointing
    if checkpointing is None:
        checkpointing = not cpu and weights >= _LARGE
    layers = quantized_layers(model)
    model = adapting.add_adapter(model, config, seed=settings.seed, checkpointing=checkpointing)
    for adapter in model.peft_config.values():
        adapter.base_model_name_or_path = request.name
    if settings.neftune_noise_alpha:
        adapting.add_noise(model, settings.neftune_noise_alpha)
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    loaded = time.monotonic()
    plan = make_plan(settings, rows=len(data.train), workers=workers.size, evaluates=bool(data.evaluation))
    speaks = workers.rank == 0
    if speaks:
        log(
            "tuning-started",
            method=config.method,
            four_bit_layers=layers[4],
            eight_bit_layers=layers[8],
            rows=len(data.train),
            evaluation_rows=len(data.evaluation),
            steps=plan.steps,
            trainable=trainable,
            weights=weights or None,
            processes=workers.size,
            threads=torch.get_num_threads() if cpu else None,
            load_seconds=round(loaded - began, 2),
        )
    progress = Progress(
        steps=plan.steps, every=plan.log_every, first=settings.logging_first_step, speaks=speaks, metrics=metrics
    )
    loop = Loop(
        model,
        settings=settings,
        plan=plan,
        rows=data.train,
        evaluation=data.evaluation,
        pad=tokenizer.pad_token_id,
        pad_multiple=config.collator.pad_to_multiple_of or 1,
        workers=workers,
        progress=progress,
    )
    fingerprint = run_fingerprint(request, data, workers)
    done = _resume(request, fingerprint, model, loop, progress, speaks=speaks)

    def save(step: int) -> None:
        if speaks:
            checkpoints.save(
                request.output,
                step=step,
                fingerprint=fingerprint,
                model=model,
                optimizer=loop.optimizer,
                history=progress.history,
                keep=settings.save_total_limit,
            )
            log("checkpoint", step=step)

    loop.run(done=done, save=save, check=lambda: _stop_if_useless(request.output))
    seconds = time.monotonic() - loaded
    history = progress.history
    summary = {
        "method": config.method,
        "base": request.name,
        "quantized_layers": {"4bit": layers[4], "8bit": layers[8]},
        "trainable_parameters": trainable,
        "steps": plan.steps,
        "resumed_from_step": done,
        "loss_by_step": [round(loss, 6) for loss in history.losses],
        "evaluations": [{"step": step, "loss": round(loss, 6)} for step, loss in history.evaluations],
        "rows": len(data.train),
        "evaluation_rows": len(data.evaluation),
        "tokens": progress.tokens,
        "seconds": round(seconds, 3),
        "load_seconds": round(loaded - began, 3),
        "tokens_per_second": round(progress.tokens / seconds, 1) if seconds else None,
        "peak_memory_bytes": peak_memory(),
        "processes": workers.size,
        "device": str(next(model.parameters()).device),
        "seed": settings.seed,
        "fingerprint": fingerprint,
        "runtime": __version__,
        "config": config.as_document(),
    }
    workers.wait()
    if speaks:
        write_results(request.output, model, summary)
        log(
            "tuning-completed",
            steps=plan.steps,
            loss=round(history.losses[-1], 6),
            seconds=round(seconds, 2),
            tokens_per_second=round(progress.tokens / seconds) if seconds else None,
            four_bit_layers=layers[4],
            output=str(request.output),
        )
    workers.wait()
    return summary


def run_fingerprint(request: Request, data: Dataset, workers: Workers) -> str:
    """Return what makes two runs the same run: settings, data, base weights, number of processes; hexadecimal."""
    document = request.config.as_document()
    document["TrainingArguments"] = {
        key: value for key, value in document["TrainingArguments"].items() if key not in _WITHOUT_EFFECT
    }
    weights = sorted((path.name, path.stat().st_size) for path in request.base.glob("*.safetensors"))
    shape = request.base / "config.json"
    parts = [document, data.digest, weights, shape.read_text() if shape.exists() else "", workers.size]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _resume(request: Request, fingerprint: str, model: Any, loop: Loop, progress: Progress, *, speaks: bool) -> int:
    """Go back to the newest fitting checkpoint, if there is one; return the steps already done."""
    wanted = request.config.training.resume_from_checkpoint
    if request.fresh or wanted is False:
        return 0
    if isinstance(wanted, str) and wanted.lower() not in ("true", "yes"):
        found = checkpoints.read(locate(wanted))
        if found is None:
            raise BadConfig(f"TrainingArguments.resume_from_checkpoint: {wanted} holds no complete checkpoint")
    else:
        found = checkpoints.newest(request.output, fingerprint)
    if found is None:
        return 0
    progress.history = checkpoints.restore(found, model=model, optimizer=loop.optimizer)
    if speaks:
        log("resumed", step=found.step, checkpoint=str(found.folder))
    return found.step


def _stop_if_useless(output: Path) -> None:
    """Raise Refused when a pusher beside us has found that it will not be allowed to push."""
    refusal = sentinels.push_refused(output)
    if refusal:
        raise Refused(f"tuning was given up because its result cannot be pushed: {refusal}")
