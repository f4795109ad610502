"""The data of a run: files read, columns mapped, rows shuffled and split."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaito_runtime.errors import BadData
from kaito_runtime.paths import locate
from kaito_runtime.reporting import log
from kaito_runtime.tuning.batching import Pack, pack
from kaito_runtime.tuning.encoding import Encoded, encode
from kaito_runtime.tuning.finding import find_files
from kaito_runtime.tuning.formats import Example, choose_columns, to_example
from kaito_runtime.tuning.reading import read_rows
from kaito_runtime.tuning.sections import DatasetConfig
from kaito_runtime.tuning.training_config import TrainingConfig


@dataclass(frozen=True)
class Dataset:
    """train and evaluation: rows for the model. digest: of all tokens and labels, hexadecimal."""

    train: list[Pack]
    evaluation: list[Pack]
    digest: str


def data_places(config: DatasetConfig, named: Sequence[Path], folder: Path) -> list[Path]:
    """Return where data is: as named on the command line, else by `dataset_path` beneath /mnt, else `folder`."""
    if named:
        return list(named)
    if config.dataset_path:
        path = Path(config.dataset_path)
        inside = path if path.is_absolute() and path.parts[:2] == ("/", "mnt") else Path("/mnt") / str(path).strip("/")
        beneath = locate(inside)
        return [beneath if beneath.exists() or not locate(path).exists() else locate(path)]
    return [folder]


def read_examples(places: Sequence[Path], config: DatasetConfig, given: frozenset[str]) -> list[Example]:
    """Return all examples in the files at `places`, in the order of files and rows. Raises BadData."""
    examples: list[Example] = []
    for file in find_files(places, extension=config.dataset_extension):
        before = len(examples)
        columns = None
        for row in read_rows(file):
            if columns is None:
                columns = choose_columns(list(row.values), config, given, source=str(file.path))
            examples.append(to_example(row, columns))
        if columns is None:
            raise BadData(f"{file.path} has no rows")
        log("data", file=str(file.path), format=columns.kind, rows=len(examples) - before)
    return examples


def prepare(examples: Sequence[Example], config: TrainingConfig, tokenizer: Any, *, context: int) -> Dataset:
    """Return the examples as rows of tokens, shuffled and split with the configured seed.

    context: tokens that the model can see. Raises BadData when nothing is left to learn.
    """
    settings, training = config.dataset, config.training
    length = min(training.max_length or context, context)
    flags = (training.completion_only_loss, training.assistant_only_loss)
    answers_only = True in flags or False not in flags
    encoded = encode(examples, tokenizer, max_length=length, answers_only=answers_only)
    cut = sum(len(row.ids) >= length for row in encoded)
    usable = [row for row in encoded if row.learnt]
    if not usable:
        raise BadData(
            f"{examples[0].place}: no answer is left within max_length ({length} tokens); raise it or shorten the rows"
        )
    if cut:
        log("data-cut", level="warning", rows=cut, dropped=len(encoded) - len(usable), max_length=length)
    if settings.shuffle_dataset:
        random.Random(settings.shuffle_seed).shuffle(usable)
    keep = _split(len(usable), settings.train_test_split)
    train, evaluation = usable[:keep], usable[keep:]
    return Dataset(
        train=_rows(train, packing=training.packing, length=length),
        evaluation=_rows(evaluation, packing=False, length=length),
        digest=_digest(train, evaluation),
    )


def _split(rows: int, share: float) -> int:
    """Return how many of `rows` rows are learnt; each side gets one at least where there are two."""
    if share >= 1 or rows < 2:
        return rows
    return min(max(1, round(rows * share)), rows - 1)


def _rows(examples: Sequence[Encoded], *, packing: bool, length: int) -> list[Pack]:
    return pack(examples, length=length) if packing and examples else [Pack((example,)) for example in examples]


def _digest(*parts: Sequence[Encoded]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for example in part:
            digest.update(repr((example.ids, example.labels)).encode())
        digest.update(b"|")
    return digest.hexdigest()
