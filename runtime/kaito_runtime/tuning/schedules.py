"""Learning-rate schedules by their transformers names, as factors of the highest rate."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from kaito_runtime.errors import BadConfig

Schedule = Callable[[int], float]
"""From the number of steps done to the factor for the next one."""

SETTINGS: Final[dict[str, tuple[str, ...]]] = {
    "linear": (),
    "cosine": ("num_cycles",),
    "cosine_with_restarts": ("num_cycles",),
    "cosine_with_min_lr": ("min_lr", "min_lr_rate"),
    "polynomial": ("power", "lr_end"),
    "constant": (),
    "constant_with_warmup": (),
    "inverse_sqrt": ("timescale",),
}
"""The schedules, and what `lr_scheduler_kwargs` may hold for each."""


def schedule(name: str, *, steps: int, warmup: int, rate: float, settings: Mapping[str, Any] | None = None) -> Schedule:
    """Return the schedule `name` over `steps` steps, the first `warmup` of which rise from 0.

    rate: the highest one, above 0. settings: `lr_scheduler_kwargs`, by name as in SETTINGS; lr_end and min_lr are
    rates, min_lr_rate is a share of the highest. Raises BadConfig for a name that is not there and for a setting that
    the schedule does not have.
    """
    known = name.removeprefix("SchedulerType.").lower()
    if known not in SETTINGS:
        raise BadConfig(f"TrainingArguments.lr_scheduler_type {name!r} is not known; use {', '.join(SETTINGS)}")
    decay = _decay(known, steps, warmup, rate, _numbers(known, settings or {}))

    def factor(done: int) -> float:
        if done < warmup and name != "constant":
            return done / max(1, warmup)
        return decay(min(1.0, (done - warmup) / max(1, steps - warmup)))

    return factor


def _numbers(name: str, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the settings of schedule `name`, all of them numbers."""
    for key, value in settings.items():
        if key not in SETTINGS[name]:
            known = ", ".join(SETTINGS[name]) or "none"
            raise BadConfig(f"TrainingArguments.lr_scheduler_kwargs: {name} has no setting {key!r}; it has {known}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadConfig(f"TrainingArguments.lr_scheduler_kwargs.{key}: {value!r} is not a number")
    return {key: float(value) for key, value in settings.items()}


def _decay(name: str, steps: int, warmup: int, rate: float, options: Mapping[str, float]) -> Callable[[float], float]:
    """Return the part after the warm-up: from progress in [0, 1] to the factor."""
    if name == "linear":
        return lambda progress: 1.0 - progress
    if name == "cosine":
        cycles = options.get("num_cycles", 0.5)
        return lambda progress: max(0.0, 0.5 * (1 + math.cos(2 * math.pi * cycles * progress)))
    if name == "cosine_with_restarts":
        restarts = options.get("num_cycles", 1)
        return lambda progress: (
            0.0 if progress >= 1 else max(0.0, 0.5 * (1 + math.cos(math.pi * ((restarts * progress) % 1.0))))
        )
    if name == "cosine_with_min_lr":
        least = options.get("min_lr_rate", options.get("min_lr", 0.0) / rate)
        return lambda progress: least + (1 - least) * 0.5 * (1 + math.cos(math.pi * progress))
    if name == "polynomial":
        power, end = options.get("power", 1.0), options.get("lr_end", 1e-7) / rate
        return lambda progress: end + (1 - end) * (1 - progress) ** power
    if name in ("constant", "constant_with_warmup"):
        return lambda progress: 1.0
    scale = options.get("timescale", warmup or 10_000)
    return lambda progress: 1.0 / math.sqrt((progress * max(1, steps - warmup) + scale) / scale)


def count(value: float, total: int) -> int:
    """Return a number of steps that is given as such or, below 1, as a share of `total`."""
    return math.ceil(value * total) if 0 < value < 1 else int(value)
