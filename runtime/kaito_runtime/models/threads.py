"""How many CPU threads torch should use, decided before the model is run.

Two threads on two cores spin against each other and against neighbours; for models of a few million weights one thread
is as fast when quiet and several times faster when not.
"""

import os
from typing import Final

SMALL_MODEL: Final = 5_000_000
"""Parameters below which one thread is best."""


def choose_threads(parameters: int) -> int:
    """Set and return torch's number of threads for a model of so many `parameters`; `OMP_NUM_THREADS` wins."""
    import torch

    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdigit() and int(named) > 0:
        threads = int(named)
    elif parameters < SMALL_MODEL:
        threads = 1
    else:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(threads)
    return threads
