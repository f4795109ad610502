"""From a command line to a run: configuration, model, data and output found and checked, without importing torch."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kaito_runtime import paths
from kaito_runtime.errors import BadConfig, UsageFailure
from kaito_runtime.models.resolving import TINY, resolve
from kaito_runtime.reporting import log
from kaito_runtime.tuning import defaults
from kaito_runtime.tuning.configuration import load_document, parse_config
from kaito_runtime.tuning.dataset import data_places, read_examples
from kaito_runtime.tuning.request import Request
from kaito_runtime.tuning.training_config import Method, TrainingConfig

CONFIG_VARIABLE: Final = "YAML_FILE_PATH"
DATA_VARIABLE: Final = "DATASET_FOLDER_PATH"
_UPSTREAM_WEIGHTS: Final = "/workspace/tfs/weights"


@dataclass(frozen=True)
class Options:
    """What the command line says; None and empty: left to the configuration and the contract's places."""

    model: str | None = None
    data: tuple[Path, ...] = ()
    method: str | None = None
    output: Path | None = None
    config: Path | None = None
    overrides: tuple[str, ...] = ()
    base_name: str | None = None

    def config_file(self) -> Path | None:
        """Return the configuration file: the named one, else the contract's where it exists."""
        if self.config:
            return paths.locate(self.config)
        usual = paths.locate(os.environ.get(CONFIG_VARIABLE) or paths.CONFIG)
        return usual if usual.exists() else None

    def destination(self) -> Path:
        """Return the output folder, as far as it can be told without a correct configuration."""
        if self.output:
            return self.output
        named: Any = None
        file = self.config_file()
        if file:
            try:
                named = (load_document(file).get("TrainingArguments") or {}).get("output_dir")
            except (BadConfig, AttributeError):
                named = None
        return _beneath_mnt(named) if isinstance(named, str) and named else paths.locate(paths.RESULTS)

    def prepare(self, destination: Path, *, fresh: bool, metrics_port: int | None, metrics_host: str) -> Request:
        """Return the run to make. Raises BadConfig, BadData, NotFound and the failures of fetching a model."""
        method = self._method()
        file = self.config_file()
        if file:
            config = parse_config(load_document(file), source=str(file), method=method, overrides=self.overrides)
            settings = config.model
            base = resolve(
                self._reference(config),
                revision=None if settings.revision == "main" else settings.revision,
                local_files_only=settings.local_files_only,
            )
        else:
            base = resolve(self.model or paths.WEIGHTS)
            chosen: Method = method or "qlora"
            small = defaults.is_stand_in(base)
            document = defaults.stand_in_template(chosen) if small else defaults.template(chosen)
            log("defaults", method=chosen, why="no configuration file", template="stand-in" if small else "upstream")
            config = parse_config(document, source="default configuration", method=method, overrides=self.overrides)
        for key in config.ignored:
            log("config-ignored", level="warning", key=key, why="has no effect here")
        folder = paths.locate(os.environ.get(DATA_VARIABLE) or paths.DATA)
        examples = read_examples(
            data_places(config.dataset, self.data, folder),
            config.dataset,
            config.given.get("DatasetConfig", frozenset()),
        )
        destination.mkdir(parents=True, exist_ok=True)
        return Request(
            config=config,
            base=base,
            name=self.base_name or self._reference(config),
            examples=examples,
            output=destination,
            fresh=fresh,
            metrics_port=metrics_port,
            metrics_host=metrics_host,
        )

    def _method(self) -> Method | None:
        if self.method == "lora":
            return "lora"
        if self.method == "qlora":
            return "qlora"
        if self.method is None:
            return None
        raise UsageFailure(f"--method {self.method!r} is not known; use lora or qlora")

    def _reference(self, config: TrainingConfig) -> str:
        """Return the model as on the command line, else as configured; upstream's link to the weights is not needed."""
        if self.model:
            return self.model
        named = config.model.pretrained_model_name_or_path
        if named.startswith(TINY) or named != _UPSTREAM_WEIGHTS or paths.locate(named).exists():
            return named
        return paths.WEIGHTS


def _beneath_mnt(output: str) -> Path:
    """Return the place of a configured output_dir; relative ones are beneath /mnt, as upstream has it."""
    path = Path(output)
    return paths.locate(path if path.is_absolute() else Path("/mnt") / path)
