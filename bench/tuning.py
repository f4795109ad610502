"""Tuning against transformers' Trainer with peft: tokens per second on the same data at the same loss.

    python bench/tuning.py [--model tiny:phi3] [--method qlora] [--rows 40] [--steps 80] [--rounds 4] [--output FILE]

A is a plain script: peft on the model, `Trainer` with a collator that pads and masks prompts. B is our loop. Both start
from the same weights with the same adapter, optimizer, rate, schedule, batch size and answers, with the same number of
torch threads; loading is not counted. Rounds alternate A B A B; the result is the median of the paired ratios. Target:
at least 1.05. The ratio of tokens per CPU second is given too; on a busy machine it is the one to believe. Prints JSON
with the machine it ran on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kaito_runtime.models import resolve
from kaito_runtime.tuning import adapting
from kaito_runtime.tuning.configuration import parse_config
from kaito_runtime.tuning.dataset import Dataset, prepare
from kaito_runtime.tuning.defaults import stand_in_template
from kaito_runtime.tuning.formats import Example
from kaito_runtime.tuning.loop import Loop, make_plan
from kaito_runtime.tuning.progress import Progress
from kaito_runtime.tuning.training_config import TrainingConfig
from kaito_runtime.tuning.workers import Alone

TARGET = 1.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny:phi3")
    parser.add_argument("--method", choices=["lora", "qlora"], default="qlora")
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()

    config = configuration(arguments)
    folder = resolve(arguments.model)
    rounds = []
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
            plain = measure(trainer, folder, config, arguments, Path(scratch))
            ours = measure(loop, folder, config, arguments, Path(scratch))
        ratios = {
            name: round(ours[key] / plain[key], 3)
            for name, key in (("ratio", "tokens_per_second"), ("cpu_ratio", "tokens_per_cpu_second"))
        }
        rounds.append({"trainer": plain, "ours": ours, **ratios})
        print(f"round {number + 1}: {rounds[-1]}", file=sys.stderr, flush=True)
    ratio = statistics.median(entry["ratio"] for entry in rounds)
    report = {
        "benchmark": "tuning",
        "model": arguments.model,
        "method": arguments.method,
        "rows": arguments.rows,
        "batch": arguments.batch,
        "steps": arguments.steps,
        "rounds": rounds,
        "ratio": round(ratio, 3),
        "cpu_ratio": statistics.median(entry["cpu_ratio"] for entry in rounds),
        "target": TARGET,
        "met": ratio >= TARGET,
        "environment": environment(),
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


def configuration(arguments: argparse.Namespace) -> TrainingConfig:
    document = stand_in_template(arguments.method)
    document["TrainingArguments"] |= {
        "max_steps": arguments.steps,
        "per_device_train_batch_size": arguments.batch,
        "learning_rate": arguments.rate,
        "lr_scheduler_type": "cosine",
    }
    document["DatasetConfig"]["shuffle_dataset"] = False
    return parse_config(document, source="bench", method=arguments.method)


def examples(count: int) -> list[Example]:
    """Made-up facts of unequal length, the same in every round."""
    generator = random.Random(3)
    words = [
        "".join(generator.choice("bcdfglmnprstvz") + generator.choice("aeiou") for _ in range(3)) for _ in range(99)
    ]
    made = []
    for number in range(count):
        question = f"What is known about {generator.choice(words).capitalize()} number {number}?"
        answer = " ".join(generator.choice(words) for _ in range(generator.randint(3, 10)))
        turns = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
        made.append(Example(f"row {number}", turns))
    return made


def measure(train: Any, folder: Path, config: TrainingConfig, arguments: argparse.Namespace, scratch: Path) -> Any:
    """Return tokens per second and the mean loss of the last steps of one way to train."""
    base, tokenizer = adapting.load_base(folder, config, device=None)
    data = prepare(examples(arguments.rows), config, tokenizer, context=base.config.max_position_embeddings)
    model = adapting.add_adapter(base, config, seed=1, checkpointing=False)
    tokens = sum(row.length for row in data.train) / len(data.train) * arguments.batch * arguments.steps
    began, busy = time.perf_counter(), time.process_time()
    losses = train(model, tokenizer, data, config, scratch)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - busy
    last = losses[-max(1, len(losses) // 10) :]
    return {
        "tokens_per_second": round(tokens / seconds),
        "tokens_per_cpu_second": round(tokens / cpu_seconds),
        "loss": round(sum(last) / len(last), 4),
    }


def loop(model: Any, tokenizer: Any, data: Dataset, config: TrainingConfig, scratch: Path) -> list[float]:
    settings = config.training
    plan = make_plan(settings, rows=len(data.train), workers=1, evaluates=False)
    progress = Progress(steps=plan.steps, every=plan.log_every, first=False, speaks=True, metrics=None)
    Loop(
        model,
        settings=settings,
        plan=plan,
        rows=data.train,
        evaluation=[],
        pad=tokenizer.pad_token_id,
        pad_multiple=1,
        workers=Alone(),
        progress=progress,
    ).run(done=0, save=lambda step: None)
    return progress.history.losses


def trainer(model: Any, tokenizer: Any, data: Dataset, config: TrainingConfig, scratch: Path) -> list[float]:
    import torch
    from transformers import Trainer, TrainingArguments

    rows = [{"input_ids": row.examples[0].ids, "labels": row.examples[0].labels} for row in data.train]

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in batch)

        def padded(key: str, value: int) -> torch.Tensor:
            return torch.tensor([row[key] + [value] * (longest - len(row[key])) for row in batch])

        ids = padded("input_ids", tokenizer.pad_token_id)
        mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in batch])
        return {"input_ids": ids, "labels": padded("labels", -100), "attention_mask": mask}

    settings = config.training
    made = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(scratch),
            max_steps=settings.max_steps,
            per_device_train_batch_size=settings.per_device_train_batch_size,
            learning_rate=settings.learning_rate,
            lr_scheduler_type=settings.lr_scheduler_type,
            warmup_steps=int(settings.warmup_steps),
            logging_steps=int(settings.logging_steps),
            save_strategy="no",
            report_to=[],
            use_cpu=not torch.cuda.is_available(),
            disable_tqdm=True,
            remove_unused_columns=False,
        ),
        train_dataset=rows,
        data_collator=collate,
    )
    made.train()
    return [entry["loss"] for entry in made.state.log_history if "loss" in entry]


def environment() -> dict[str, Any]:
    import torch

    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "peft", "bitsandbytes")},
    }


if __name__ == "__main__":
    main()
