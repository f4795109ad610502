"""Whatever a data file holds: it is learnt from, or refused in a sentence with file, row and column."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kaito_runtime.errors import BadData
from kaito_runtime.tuning.preparing import Options
from kaito_runtime.tuning.running import run

from ..runtime_serving.tiny import tiny_model, tiny_tokenizer

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]

Table = tuple[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained, one narrow layer: a run costs milliseconds."""
    folder = tmp_path_factory.mktemp("model")
    tiny_model("llama", num_hidden_layers=1, hidden_size=32, intermediate_size=32).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


text = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["Why?", "Because.", "Zürich → 日本語 😀", "a\u2028b\u0085c\x1cd", 'x,"y"\r\nz', "", " ", "\ufeff", "\x00"]
    ),
    st.sampled_from(["long words " * 60, "嗨" * 300]),
)
cell = st.one_of(text, text, text, text, st.none(), st.integers(-9, 10**12), st.floats(allow_nan=True), st.booleans())
turn = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "assistant", "system", "tool"]), "content": text}
)
conversation = st.lists(turn, max_size=4)


def rows_of(**columns: st.SearchStrategy[Any]) -> st.SearchStrategy[Table]:
    return st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=5).map(
        lambda rows: (next(iter(columns)), rows)
    )


tables = st.one_of(
    rows_of(messages=conversation),
    rows_of(prompt=cell, completion=cell),
    rows_of(instruction=cell, context=cell, response=cell),
    rows_of(text=cell),
    rows_of(prompt=conversation, completion=conversation),
)


def arrow_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Binary formats have one type a column: where the cells differ, all become text."""

    def same(values: list[Any]) -> list[Any]:
        kinds = {type(value) for value in values if value is not None}
        return values if len(kinds) < 2 else [None if value is None else str(value) for value in values]

    return pa.table({name: same([row[name] for row in rows]) for name in rows[0]})


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()}
            )


def write_arrow(path: Path, rows: list[dict[str, Any]]) -> None:
    table = arrow_table(rows)
    with pyarrow.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], object]] = {
    "jsonl": lambda path, rows: path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8", newline=""
    ),
    "json": lambda path, rows: path.write_text(json.dumps(rows)),
    "csv": write_csv,
    "parquet": lambda path, rows: pyarrow.parquet.write_table(arrow_table(rows), path),
    "arrow": write_arrow,
}


def tune(model: Path, data: Path, output: Path, *, packing: bool) -> dict[str, Any]:
    chosen = ("TrainingArguments.max_steps=2", "TrainingArguments.max_length=128", "ModelConfig.torch_dtype=float32")
    overrides = (*chosen, f"TrainingArguments.packing={json.dumps(packing)}", "LoraConfig.target_modules=all-linear")
    options = Options(model=str(model), data=(data,), method="lora", output=output, overrides=overrides)
    return run(options.prepare(output, fresh=True, metrics_port=None, metrics_host="127.0.0.1"))


def check(
    model: Path, folder: Path, kind: str, rows: list[dict[str, Any]], *, packing: bool = False
) -> dict[str, Any] | None:
    data = folder / f"train.{kind}"
    WRITERS[kind](data, rows)
    try:
        summary = tune(model, data, folder / "out", packing=packing)
    except BadData as refusal:
        sentence = str(refusal)
        assert sentence.startswith(f"{data}: ")
        assert re.search(r"(line|row) \d+: (.*column '\w+'|no answer is left within max_length)", sentence), sentence
        assert "\n" not in sentence
        return None
    assert len(summary["loss_by_step"]) == summary["steps"] == 2
    assert all(loss >= 0 for loss in summary["loss_by_step"]), summary["loss_by_step"]
    return summary


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables, kind=st.sampled_from(sorted(WRITERS)), packing=st.booleans())
def test_any_table_is_learnt_from_or_refused_in_a_sentence(
    model: Path, tmp_path_factory: pytest.TempPathFactory, table: Table, kind: str, packing: bool
) -> None:
    check(model, tmp_path_factory.mktemp("any"), kind, table[1], packing=packing)
