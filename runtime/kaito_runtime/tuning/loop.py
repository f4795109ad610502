"""The training loop.

Our own rather than transformers' Trainer: at the same loss it does less per step (logits only where something is
learnt, no synchronisation but for the loss), needs no second set of imports, and resumes to the same numbers.
`bench/tuning.py` has the paired comparison.
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kaito_runtime.errors import BadConfig
from kaito_runtime.models.losses import answer_loss
from kaito_runtime.tuning import batching
from kaito_runtime.tuning.batching import Pack
from kaito_runtime.tuning.optimizers import make_optimizer
from kaito_runtime.tuning.progress import Progress
from kaito_runtime.tuning.schedules import count, schedule
from kaito_runtime.tuning.sections import TrainingArguments
from kaito_runtime.tuning.workers import Workers

_MOST_LOST: Final = 10
"""Steps in a row whose loss is not a number before a run is given up."""


@dataclass(frozen=True)
class Plan:
    """How many steps a run makes, and when it pauses for what; a step number of 0 means never.

    steps: all optimizer steps. per_epoch: of one pass over the data.
    """

    steps: int
    per_epoch: int
    warmup: int
    log_every: int
    evaluate_every: int
    save_every: int


def make_plan(settings: TrainingArguments, *, rows: int, workers: int, evaluates: bool) -> Plan:
    """Return the plan for `rows` rows of training data, shared by `workers` processes."""
    per_epoch = batching.steps_per_epoch(
        rows,
        batch=settings.per_device_train_batch_size * workers,
        accumulation=settings.gradient_accumulation_steps,
        drop_last=settings.dataloader_drop_last,
    )
    steps = settings.max_steps if settings.max_steps > 0 else math.ceil(settings.num_train_epochs * per_epoch)
    log_every = max(1, count(settings.logging_steps, steps))
    warmup = count(settings.warmup_steps, steps) or math.ceil(settings.warmup_ratio * steps)
    evaluate = {"steps": max(1, count(settings.eval_steps or log_every, steps)), "epoch": per_epoch}
    save = {"steps": max(1, count(settings.save_steps, steps)), "epoch": per_epoch}
    return Plan(
        steps=steps,
        per_epoch=per_epoch,
        warmup=warmup,
        log_every=log_every,
        evaluate_every=evaluate.get(settings.eval_strategy or "", 0) if evaluates else 0,
        save_every=save.get(settings.save_strategy, 0),
    )


class Loop:
    """Trains one model on one set of rows. `optimizer` is there to be saved and restored."""

    def __init__(
        self,
        model: Any,
        *,
        settings: TrainingArguments,
        plan: Plan,
        rows: Sequence[Pack],
        evaluation: Sequence[Pack],
        pad: int,
        pad_multiple: int,
        workers: Workers,
        progress: Progress,
    ) -> None:
        import torch

        self._torch = torch
        self._model = model
        self._settings = settings
        self._plan = plan
        self._rows = rows
        self._evaluation = evaluation
        self._pad = pad
        self._pad_multiple = pad_multiple
        self._workers = workers
        self._progress = progress
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._device = self._parameters[0].device
        self.optimizer = make_optimizer(self._parameters, settings)
        self._trained = workers.prepare(model)
        self._lost = 0
        self._rate = schedule(
            settings.lr_scheduler_type,
            steps=plan.steps,
            warmup=plan.warmup,
            rate=settings.learning_rate,
            settings=settings.lr_scheduler_kwargs,
        )
        precision = self._precision(model)
        self._autocast: Callable[[], contextlib.AbstractContextManager[Any]] = (
            (lambda: torch.autocast(self._device.type, dtype=precision)) if precision else contextlib.nullcontext
        )
        self._scaler = torch.amp.GradScaler(
            self._device.type, enabled=precision is torch.float16 and self._device.type == "cuda"
        )

    def _precision(self, model: Any) -> Any:
        """Return the dtype to autocast to, or None."""
        torch = self._torch
        if self._settings.bf16:
            return torch.bfloat16
        if self._settings.fp16:
            return torch.float16
        if self._device.type == "cpu":
            return None
        dtype = model.dtype
        unset = {torch.bfloat16: self._settings.bf16 is None, torch.float16: self._settings.fp16 is None}
        return dtype if unset.get(dtype) else None

    def run(self, *, done: int, save: Callable[[int], None], check: Callable[[], None] | None = None) -> None:
        """Do the steps after the first `done`; call `save(step)` where the plan says so, and `check()` at each one.

        What `check` raises ends the run.
        """
        settings, plan = self._settings, self._plan
        seed = settings.seed if settings.data_seed is None else settings.data_seed
        step = done
        while step < plan.steps:
            epoch, offset = divmod(step, plan.per_epoch)
            batches = batching.epoch_batches(
                self._rows,
                batch=settings.per_device_train_batch_size * self._workers.size,
                seed=seed,
                epoch=epoch,
                by_length=settings.group_by_length,
                drop_last=settings.dataloader_drop_last,
            )
            groups = list(batching.steps_of(batches, settings.gradient_accumulation_steps))
            for group in groups[offset:]:
                if step >= plan.steps:
                    break
                if check:
                    check()
                loss, tokens = self._step(group, self._rate(step))
                step += 1
                self._check_loss(step, loss)
                self._progress.step(step, loss=loss, rate=settings.learning_rate * self._rate(step - 1), tokens=tokens)
                if plan.evaluate_every and (step % plan.evaluate_every == 0) and step < plan.steps:
                    self.evaluate(step)
                if plan.save_every and (step % plan.save_every == 0 or step == plan.steps):
                    self._workers.wait()
                    save(step)
        if self._evaluation and settings.eval_strategy != "no":
            self.evaluate(step)

    def _check_loss(self, step: int, loss: float) -> None:
        """Raise BadConfig when the model is lost: an adapter of NaNs is nothing to push. float16 gets some tries: its
        loss scaling skips steps that overflow."""
        self._lost = 0 if math.isfinite(loss) else self._lost + 1
        if self._lost and (self._lost == _MOST_LOST or step == self._plan.steps):
            raise BadConfig(
                f"the loss is {loss} at step {step}, so nothing is learnt any more: lower"
                " TrainingArguments.learning_rate, or use bfloat16 or float32 in place of float16"
            )

    def _step(self, group: Sequence[Sequence[Pack]], factor: float) -> tuple[float, int]:
        """Do one optimizer step; return the mean loss over its learnt tokens, and all its tokens."""
        torch, workers = self._torch, self._workers
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = self._settings.learning_rate * factor
        mine = [batching.shard(batch, rank=workers.rank, size=workers.size) for batch in group]
        learnt = sum(example.learnt for batch in group for row in batch for example in row.examples)
        summed = torch.zeros((), device=self._device)
        for index, batch in enumerate(mine):
            last = index == len(mine) - 1
            alone = contextlib.nullcontext() if last or workers.size == 1 else self._trained.no_sync()
            with alone, self._autocast():
                total, _ = answer_loss(self._trained, self._tensors(batch))
                # Several processes average their gradients, so each sum is scaled up by their number first.
                loss = total * (workers.size / max(1, learnt))
                self._scaler.scale(loss).backward()
            summed += total.detach()
        if self._scaler.is_enabled():
            self._scaler.unscale_(self.optimizer)
        if self._settings.max_grad_norm > 0:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._settings.max_grad_norm)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        tokens = sum(row.length for batch in group for row in batch)
        return float(workers.total(summed)) / max(1, learnt), tokens

    def _tensors(self, batch: Sequence[Pack]) -> dict[str, Any]:
        """Return the batch with its inputs on the model's device; labels stay where they are."""
        made = batching.tensors(batch, self._pad, multiple=self._pad_multiple)
        if self._device.type == "cpu":
            return made
        return {
            name: tensor if name == "labels" else tensor.to(self._device, non_blocking=True)
            for name, tensor in made.items()
        }

    def evaluate(self, step: int) -> float:
        """Return, and report, the mean loss over the evaluation set."""
        torch, workers = self._torch, self._workers
        size = self._settings.per_device_eval_batch_size
        summed = torch.zeros(2, dtype=torch.float64)
        self._model.eval()
        with torch.no_grad(), self._autocast():
            rows = self._evaluation[workers.rank :: workers.size]
            for start in range(0, len(rows), size):
                total, learnt = answer_loss(self._model, self._tensors(rows[start : start + size]))
                summed += torch.tensor([float(total), learnt], dtype=torch.float64)
        self._model.train()
        both = workers.total(summed.to(self._device, torch.float32)).tolist()
        loss = float(both[0]) / max(1.0, float(both[1]))
        self._progress.evaluated(step, loss)
        return loss
