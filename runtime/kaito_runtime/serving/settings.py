"""Everything that `kaito-runtime serve` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .adapters import AdapterSource
from .serving_state import SurfaceSettings

EngineName = Literal["auto", "transformers", "vllm"]


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """What is loaded, and how it runs."""

    model: str
    """A folder, a repository id, or `tiny:<architecture>`."""
    revision: str | None = None
    engine: EngineName = "auto"
    """`auto`: vLLM where it is installed and there is a GPU, otherwise transformers."""
    adapters: tuple[AdapterSource, ...] = ()
    dtype: str = "auto"
    device: str | None = None
    bits: Literal[4, 8] | None = None
    """Quantise the weights while loading; None: as they are."""
    chat_template: str | None = None
    """The template itself, not its file."""
    trust_remote_code: bool = False
    context_length: int | None = None
    """A limit below the model's own, in tokens."""
    max_rows: int = 32
    """Most requests that generate at the same time."""
    max_queue: int = 256
    """Most requests that wait beside them."""
    cache_gib: float | None = None
    """Most memory for keys and values; None: 40 % of what is free after loading."""
    gpu_memory_utilization: float | None = None
    """vLLM only: the share of GPU memory it may use."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Where it listens and how it ends."""

    host: str = "127.0.0.1"
    port: int = 5000
    """0: any free port; the log says which."""
    drain_timeout: float = 25.0
    """Seconds that accepted requests get to finish after SIGTERM. Kubernetes kills after 30."""
    access_log: bool = False


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    engine: EngineSettings
    server: ServerSettings
    surfaces: SurfaceSettings
