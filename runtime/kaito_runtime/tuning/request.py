"""What a tuning run is asked to do, all of it checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kaito_runtime.tuning.formats import Example
from kaito_runtime.tuning.training_config import TrainingConfig


@dataclass(frozen=True)
class Request:
    """What one run is to do.

    base: folder of the model. name: how the adapter's config names its base. output: where the adapter goes.
    fresh: ignore checkpoints. metrics_port: None for no metrics server.
    """

    config: TrainingConfig
    base: Path
    name: str
    examples: Sequence[Example]
    output: Path
    fresh: bool = False
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
