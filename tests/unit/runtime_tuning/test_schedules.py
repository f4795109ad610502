"""Learning-rate schedules, compared step by step with transformers'."""

from typing import Any

import pytest
from kaito_runtime.errors import BadConfig
from kaito_runtime.tuning.schedules import SETTINGS, schedule

STEPS, RATE = 20, 1e-3
CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in SETTINGS if name != "cosine_with_min_lr"),
    ("cosine", {"num_cycles": 1.5}),
    ("cosine_with_restarts", {"num_cycles": 3}),
    ("cosine_with_min_lr", {"min_lr": 1e-5}),
    ("cosine_with_min_lr", {"min_lr_rate": 0.1}),
    ("polynomial", {"power": 2, "lr_end": 1e-5}),
    ("inverse_sqrt", {"timescale": 5}),
]


@pytest.mark.torch
@pytest.mark.parametrize("warmup", [0, 4])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_every_step_has_transformers_rate(name: str, settings: dict[str, Any], warmup: int) -> None:
    import torch
    from transformers import get_scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    theirs = get_scheduler(
        name, optimizer, num_warmup_steps=warmup, num_training_steps=STEPS, scheduler_specific_kwargs=settings
    )
    ours = schedule(name, steps=STEPS, warmup=warmup, rate=RATE, settings=settings)
    for step in range(STEPS):
        assert RATE * ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("cosin", {}, "lr_scheduler_type 'cosin' is not known; use linear, cosine"),
        ("linear", {"power": 2}, "linear has no setting 'power'; it has none"),
        ("polynomial", {"power": "two"}, "lr_scheduler_kwargs.power: 'two' is not a number"),
    ],
)
def test_a_schedule_that_is_none_is_refused(name: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        schedule(name, steps=STEPS, warmup=0, rate=RATE, settings=settings)
