import csv
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from kaito_runtime.errors import BadConfig, BadData, NotFound
from kaito_runtime.tuning.dataset import data_places, read_examples
from kaito_runtime.tuning.finding import find_files
from kaito_runtime.tuning.reading import read_rows
from kaito_runtime.tuning.sections import DatasetConfig

ROWS = [{"prompt": "One?", "completion": '1, "uno"\nor ein'}, {"prompt": "Zwei?", "completion": "zwei ü"}]


def write_parquet(path: Path) -> None:
    pyarrow.parquet.write_table(pa.Table.from_pylist(ROWS), path)


def write_arrow(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pyarrow.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)


def write_arrow_file(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pyarrow.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def parquet_with_two_columns_of_one_name() -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.table([["a"], ["b"]], names=["text", "text"]), sink)
    return bytes(sink.getvalue().to_pybytes())


def write_csv(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["prompt", "completion"])
        writer.writeheader()
        writer.writerows(ROWS)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "a.parquet": write_parquet,
    "a.arrow": write_arrow,
    "a.feather": write_arrow_file,
    "a.csv": write_csv,
    "a.jsonl": lambda path: path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n"),
    "a.json": lambda path: path.write_text(json.dumps(ROWS)),
    "b.json": lambda path: path.write_text(json.dumps({"version": 1, "data": ROWS})),
    "c.json": lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in ROWS)),
    "d.JSON": lambda path: path.write_text("\ufeff" + json.dumps(ROWS)),
    "download": write_parquet,
    "stream": write_arrow,
    "lines": lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in ROWS)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    (file,) = find_files([tmp_path])
    assert [row.values for row in read_rows(file)] == ROWS


@pytest.mark.parametrize("name", WRITERS)
def test_characters_that_only_look_like_line_ends_are_kept(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = [{"prompt": "a\u2028b\u0085c\x1cd\x0be", "completion": "1\u20292"}]
    monkeypatch.setitem(globals(), "ROWS", odd)
    monkeypatch.setattr(json, "dumps", functools.partial(json.dumps, ensure_ascii=False))
    WRITERS[name](tmp_path / name)
    (file,) = find_files([tmp_path])
    assert [row.values for row in read_rows(file)] == odd


def test_all_files_of_a_folder_are_read_in_order(tmp_path: Path) -> None:
    for name in ("b.parquet", "sub/a.csv", "notes_about_parquet.txt", ".hidden.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (write_parquet if name.endswith("parquet") else write_csv)(tmp_path / name)
    found = [str(file.path.relative_to(tmp_path)) for file in find_files([tmp_path])]
    assert found == ["b.parquet", "sub/a.csv"]


def test_what_the_datasets_library_writes_beside_its_data_is_left_alone(tmp_path: Path) -> None:
    write_arrow(tmp_path / "data-00000-of-00001.arrow")
    for name in ("dataset_info.json", "state.json"):
        (tmp_path / name).write_text("{}")
    assert [file.path.name for file in find_files([tmp_path])] == ["data-00000-of-00001.arrow"]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no data file or folder .*missing"):
        find_files([tmp_path / "missing"])
    with pytest.raises(BadData, match="no data file under"):
        find_files([tmp_path])
    (tmp_path / "x.bin").write_bytes(b"\0\1\2")
    with pytest.raises(BadData, match=r"x\.bin is not in a known data format"):
        find_files([tmp_path / "x.bin"])
    with pytest.raises(BadConfig, match="dataset_extension"):
        find_files([tmp_path], extension="xlsx")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"", r"a\.parquet is empty"),
        ("a.parquet", b"PAR1 not really", r"a\.parquet is not a readable parquet file"),
        ("a.parquet", b"<!DOCTYPE html><html>", "looks like a web page"),
        ("a.arrow", b"nothing", "not a readable arrow file"),
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', r"a\.jsonl: line 2, column 10: not JSON: Expecting value"),
        ("a.jsonl", b'{\n"text": "x"\n}\n', r"a\.jsonl: line 1, column 2: not JSON: Expecting property name"),
        ("a.jsonl", b'{"text": ' + b"[" * 100_000, r"a\.jsonl: line 1: not JSON: it is nested too deeply"),
        ("a.json", b'[{"text": "x"},\n{"text": }]', r"a\.json: line 2, column 10: not JSON: Expecting value"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', r"line 1: column 'text' has a broken character"),
        ("a.jsonl", b'{"text": NaN}\n', r"line 1: column 'text' is empty"),
        ("a.csv", b"prompt;completion\na;b\n", "separated by semicolons"),
        ("a.csv", b"text,text\na,b\n", "has two columns 'text'"),
        ("a.parquet", parquet_with_two_columns_of_one_name(), "has two columns 'text'"),
        ("a.jsonl", b'{"messages": [{"role": "user", "content": [{"type": "image"}]}]}\n', "content that is not text"),
        ("a.jsonl", b'{"text": "x"}\n[1]\n', r"a\.jsonl: line 2 is not a record"),
        ("a.json", b"{", "line 1, column 2: not JSON"),
        ("a.json", b"3", "neither a list of records"),
        ("a.json", b'[{"text": "x"}, 4]', "row 2 is not a record"),
        ("a.jsonl", b"\xff\xfe", "not UTF-8"),
        ("a.csv", b"text,x\nhello\n", r"a\.csv: line 2 has 1 fields, the header 2"),
        ("a.csv", b'text\n"open\n', r"a\.csv: line \d is not CSV"),
        ("a.csv", b"text\n", r"a\.csv has no rows"),
        ("a.jsonl", b'{"question": "x", "reply": "y"}\n', "no usable column.*there are question, reply"),
        ("a.jsonl", b'{"text": "x"}\n{"text": ""}\n', r"a\.jsonl: line 2: column 'text' is empty"),
        ("a.jsonl", b'{"text": "x"}\n{"other": ""}\n', r"line 2: column 'text' is missing"),
        ("a.jsonl", b'{"text": ["x"]}\n', "column 'text' must be text, not list"),
        ("a.jsonl", b'{"messages": "hello"}\n', "column 'messages' must be a list of messages"),
        ("a.jsonl", b'{"messages": []}\n', "column 'messages' must be a list of messages"),
        ("a.jsonl", b'{"messages": [{"role": "me", "content": "x"}]}\n', "message 1 has the role 'me'"),
        ("a.jsonl", b'{"messages": [{"role": "user"}]}\n', "message 1 has no text in content"),
        ("a.jsonl", b'{"messages": [{"role": "user", "content": "x"}]}\n', "no message of the role assistant"),
        ("a.jsonl", b'{"prompt": "x", "completion": null}\n', "line 1: column 'completion' is empty"),
    ],
)
def test_bad_data_is_refused_with_file_row_and_column(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadData, match=words):
        read_examples([tmp_path], DatasetConfig(), frozenset())


@pytest.mark.parametrize(
    ("row", "config", "expected"),
    [
        ({"prompt": "q", "completion": "a"}, {}, [("user", "q"), ("assistant", "a")]),
        ({"instruction": "q", "context": "c", "response": "a"}, {}, [("user", "q\n\nc"), ("assistant", "a")]),
        ({"instruction": "q", "input": "", "output": "a"}, {}, [("user", "q"), ("assistant", "a")]),
        (
            {"frage": "q", "antwort": "a", "text": "t"},
            {"context_column": "frage", "response_column": "antwort"},
            [("user", "q"), ("assistant", "a")],
        ),
        (
            {"chat": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
            {"messages_column": "chat"},
            [("user", "q"), ("assistant", "a")],
        ),
        (
            {
                "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
                "completion": [{"role": "assistant", "content": "a"}],
            },
            {},
            [("system", "s"), ("user", "q"), ("assistant", "a")],
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "text", "text": t} for t in ("a", "b")]}]},
            {},
            [("assistant", "a b")],
        ),
        ({"instruction": "q", "context": float("nan"), "response": "a"}, {}, [("user", "q"), ("assistant", "a")]),
        ({"body": "plain"}, {"response_column": "body"}, "plain"),
        ({"text": "plain"}, {}, "plain"),
    ],
)
def test_columns_are_found_or_mapped(
    tmp_path: Path, row: dict[str, Any], config: dict[str, str], expected: Any
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    (example,) = read_examples([tmp_path], DatasetConfig(**config), frozenset(config))
    turns = [(turn["role"], turn["content"]) for turn in example.messages]
    assert (example.text if isinstance(expected, str) else turns) == expected


def test_a_mapped_column_must_exist(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}')
    config = DatasetConfig(messages_column="chat")
    with pytest.raises(
        BadData, match=r"column 'chat' \(DatasetConfig.messages_column\) does not exist; there are text"
    ):
        read_examples([tmp_path], config, frozenset({"messages_column"}))


def test_a_dataset_path_lies_beneath_mnt() -> None:
    config = DatasetConfig(dataset_path="/data/train.csv")
    assert data_places(config, [], Path("/mnt/data")) == [Path("/mnt/data/train.csv")]
    assert data_places(DatasetConfig(), [], Path("/mnt/data")) == [Path("/mnt/data")]
    assert data_places(config, [Path("x.csv")], Path("/mnt/data")) == [Path("x.csv")]
