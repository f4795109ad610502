"""Learning-rate schedules by their transformers names, as factors of the highest rate."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from kaito_runtime.errors import BadConfig

Schedule = Callable[[int], float]
"""From the number of steps done to the factor for the next one."""

NAMES: Final = (
    "linear",
    "cosine",
    "cosine_with_restarts",
    "cosine_with_min_lr",
    "polynomial",
    "constant",
    "constant_with_warmup",
    "inverse_sqrt",
)


def schedule(name: str, *, steps: int, warmup: int, settings: Mapping[str, Any] | None = None) -> Schedule:
    """Return the schedule `name` over `steps` steps, the first `warmup` of which rise from 0.

    settings: `lr_scheduler_kwargs`: num_cycles, power, lr_end (share of the rate), min_lr_rate.
    """
    options = dict(settings or {})
    decay = _decay(name.removeprefix("SchedulerType.").lower(), steps, warmup, options)

    def factor(done: int) -> float:
        if done < warmup and name != "constant":
            return done / max(1, warmup)
        return decay(min(1.0, (done - warmup) / max(1, steps - warmup)))

    return factor


def _decay(name: str, steps: int, warmup: int, options: Mapping[str, Any]) -> Callable[[float], float]:
    """Return the part after the warm-up: from progress in [0, 1] to the factor."""
    if name == "linear":
        return lambda progress: 1.0 - progress
    if name == "cosine":
        cycles = float(options.get("num_cycles", 0.5))
        return lambda progress: max(0.0, 0.5 * (1 + math.cos(2 * math.pi * cycles * progress)))
    if name == "cosine_with_restarts":
        restarts = float(options.get("num_cycles", 1))
        return lambda progress: (
            0.0 if progress >= 1 else max(0.0, 0.5 * (1 + math.cos(math.pi * ((restarts * progress) % 1.0))))
        )
    if name == "cosine_with_min_lr":
        least = float(options.get("min_lr_rate", 0.0))
        return lambda progress: least + (1 - least) * 0.5 * (1 + math.cos(math.pi * progress))
    if name == "polynomial":
        power, end = float(options.get("power", 1.0)), float(options.get("lr_end", 1e-7))
        return lambda progress: end + (1 - end) * (1 - progress) ** power
    if name in ("constant", "constant_with_warmup"):
        return lambda progress: 1.0
    if name == "inverse_sqrt":
        scale = float(options.get("timescale", warmup or 10_000))
        return lambda progress: 1.0 / math.sqrt((progress * max(1, steps - warmup) + scale) / scale)
    raise BadConfig(f"TrainingArguments.lr_scheduler_type {name!r} is not known; use {', '.join(NAMES)}")


def count(value: float, total: int) -> int:
    """Return a number of steps that is given as such or, below 1, as a share of `total`."""
    return math.ceil(value * total) if 0 < value < 1 else int(value)
