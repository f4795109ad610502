"""What all surfaces share: the engine once it is there, the model names, the limits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from .generation import BASE_CHOICE, MERGED_CHOICE, AdapterChoice, Engine
from .problems import Problem

Phase = Literal["loading", "ready", "draining", "failed"]


@dataclass(frozen=True, kw_only=True)
class SurfaceSettings:
    """What the HTTP surfaces need to know."""

    served_model_name: str
    """The base model's name in requests and answers."""
    aliases: tuple[str, ...] = ()
    """Further names for it: the path or repository id it was loaded from."""
    default_max_tokens: int = 1024
    """New tokens for `/v1` requests that set no limit (less where the context is shorter)."""
    chat_max_new_tokens: int = 256
    """The same for `/chat`."""
    timeout: float | None = 600.0
    """Seconds for a request, waiting included; None: no limit."""
    body_limit: int = 8 * 2**20
    """Most bytes of a request body."""
    most_answers: int = 288
    """Most answers of one request: as many as can run and wait together."""
    dynamic_adapters: bool = False
    """Whether the adapter loading endpoints may be used."""


class ServingState:
    """Phase and engine of one server. Written by its lifecycle, read by the surfaces; event loop only."""

    def __init__(self, settings: SurfaceSettings) -> None:
        self.settings = settings
        self.created = int(time.time())
        self.phase: Phase = "loading"
        self.problem = ""
        """Why loading failed."""
        self._engine: Engine | None = None

    def ready(self, engine: Engine) -> None:
        self._engine = engine
        self.phase = "ready"

    @property
    def engine(self) -> Engine:
        """Raises `Problem` 503 until the model is loaded."""
        if self._engine is None:
            message = (
                "Model not initialized" if self.phase == "loading" else f"The model could not be loaded: {self.problem}"
            )
            raise Problem(503, message, type="server_error", code="not_ready", headers={"Retry-After": "1"})
        return self._engine

    @property
    def loaded(self) -> bool:
        return self._engine is not None

    def check_answers(self, count: int) -> None:
        """Raises `Problem` 400 for a request of more answers than could ever be taken at once: trying again (429) would
        not help."""
        if count > self.settings.most_answers:
            raise Problem(
                400,
                f"The request asks for {count} answers; this server takes {self.settings.most_answers} at once at most",
                param="n",
            )

    def choose(self, model: str | None) -> tuple[AdapterChoice, str]:
        """Which weights a request's `model` means, and the name its answer carries.

        None or empty: all adapters merged; the served name or an alias: the base alone; an adapter's name: that
        adapter. Raises `Problem` 404 for any other.
        """
        if not model:
            return MERGED_CHOICE, self.settings.served_model_name
        if model in self.engine.adapters:
            return AdapterChoice(kind="adapter", name=model), model
        if model == self.settings.served_model_name or model in self.settings.aliases:
            return BASE_CHOICE, self.settings.served_model_name
        raise Problem(
            404, f"The model `{model}` does not exist.", type="not_found_error", param="model", code="model_not_found"
        )
