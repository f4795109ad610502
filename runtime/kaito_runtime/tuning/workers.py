"""The processes that tune together: one, or several that torch launched, with one GPU (or CPU share) each."""

import os
from typing import Any, Protocol


class Workers(Protocol):
    """What the training loop needs to know of the others."""

    rank: int
    size: int

    def prepare(self, model: Any) -> Any:
        """Return `model` ready to be trained by all processes alike."""
        ...

    def total(self, value: Any) -> Any:
        """Return the sum of a tensor over all processes."""
        ...

    def wait(self) -> None:
        """Return when all processes have come here."""
        ...


class Alone:
    """The only process."""

    rank = 0
    size = 1

    def prepare(self, model: Any) -> Any:
        return model

    def total(self, value: Any) -> Any:
        return value

    def wait(self) -> None:
        return None


class Accelerated:
    """One of several processes that were launched together."""

    def __init__(self, *, cpu: bool) -> None:
        import accelerate

        self._accelerator: Any = accelerate.Accelerator(cpu=cpu)
        self.rank: int = self._accelerator.process_index
        self.size: int = self._accelerator.num_processes
        self.local_rank: int = self._accelerator.local_process_index

    def prepare(self, model: Any) -> Any:
        return self._accelerator.prepare_model(model)

    def total(self, value: Any) -> Any:
        return self._accelerator.reduce(value, reduction="sum")

    def wait(self) -> None:
        self._accelerator.wait_for_everyone()


def join_workers(*, cpu: bool) -> Alone | Accelerated:
    """Return this process's place among those that were launched together."""
    return Accelerated(cpu=cpu) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else Alone()


def is_first() -> bool:
    """Whether this process is the one that speaks for all, told before they have joined."""
    return os.environ.get("RANK", "0") == "0"
