"""Reading data files: rows as dicts, each with the place it came from, so that a complaint can name it."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaito_runtime.errors import BadData
from kaito_runtime.tuning.finding import DataFile


@dataclass(frozen=True)
class Row:
    """One record. number counts from 1; unit is `line` for text formats and `row` for binary ones."""

    path: Path
    number: int
    unit: str
    values: dict[str, Any]

    @property
    def place(self) -> str:
        """The file and row, for messages."""
        return f"{self.path}: {self.unit} {self.number}"


def read_rows(file: DataFile) -> Iterator[Row]:
    """Yield the rows of `file`. Raises BadData naming the file, and the line where there is one."""
    if file.path.stat().st_size == 0:
        raise BadData(f"{file.path} is empty")
    reader = {
        "parquet": _read_parquet,
        "arrow": _read_arrow,
        "jsonl": _read_jsonl,
        "json": _read_json,
        "csv": _read_csv,
        "tsv": _read_csv,
    }[file.kind]
    return reader(file)


def _read_parquet(file: DataFile) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        source = pyarrow.parquet.ParquetFile(file.path)
        _expect_distinct(source.schema_arrow.names, file.path)
        number = 0
        for batch in source.iter_batches(batch_size=4096):
            for values in batch.to_pylist():
                number += 1
                yield Row(file.path, number, "row", values)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadData(f"{file.path} is not a readable parquet file{_looks_like(file.path)}") from error


def _read_arrow(file: DataFile) -> Iterator[Row]:
    """Read the file format and the stream format (which `datasets` writes)."""
    import pyarrow
    import pyarrow.ipc

    try:
        with pyarrow.memory_map(str(file.path)) as source:
            try:
                table = pyarrow.ipc.open_file(source).read_all()
            except pyarrow.ArrowInvalid:
                source.seek(0)
                table = pyarrow.ipc.open_stream(source).read_all()
            _expect_distinct(table.schema.names, file.path)
            rows = table.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise BadData(f"{file.path} is not a readable arrow file{_looks_like(file.path)}") from error
    for number, values in enumerate(rows, start=1):
        yield Row(file.path, number, "row", values)


def _read_jsonl(file: DataFile) -> Iterator[Row]:
    for number, line in enumerate(_lines(_text(file.path)), start=1):
        if line.strip():
            try:
                values = json.loads(line.rstrip("\r\n"))
            except (ValueError, RecursionError) as error:
                raise _not_json(file.path, error, line=number) from error
            yield _record(file.path, number, "line", values)


def _read_json(file: DataFile) -> Iterator[Row]:
    """Read a list of records, an object with one list of records in it, or one record a line."""
    text = _text(file.path)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        first = text.lstrip().splitlines()[0] if text.strip() else ""
        if first.startswith("{") and first.rstrip().endswith("}"):
            yield from _read_jsonl(file)
            return
        raise _not_json(file.path, error) from error
    if isinstance(document, dict):
        lists = [
            value for value in document.values() if isinstance(value, list) and value and isinstance(value[0], dict)
        ]
        document = lists[0] if len(lists) == 1 and "messages" not in document else [document]
    if not isinstance(document, list):
        raise BadData(f"{file.path} holds neither a list of records nor one record a line")
    for number, values in enumerate(document, start=1):
        yield _record(file.path, number, "row", values)


def _read_csv(file: DataFile) -> Iterator[Row]:
    text = _text(file.path)
    csv.field_size_limit(1 << 30)
    reader = csv.reader(_lines(text), delimiter="\t" if file.kind == "tsv" else ",", strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not header or text.lstrip().startswith("<"):
            raise BadData(f"{file.path} has no header line with column names{_looks_like(file.path)}")
        if len(header) == 1 and ";" in header[0]:
            raise BadData(f"{file.path}: the columns are separated by semicolons; separate them by commas")
        _expect_distinct(header, file.path)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise BadData(
                    f"{file.path}: line {reader.line_num} has {len(cells)} fields, the header {len(header)} columns"
                )
            yield Row(file.path, reader.line_num, "line", dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise BadData(f"{file.path}: line {reader.line_num} is not CSV: {error}") from error


def _not_json(path: Path, error: Exception, *, line: int | None = None) -> BadData:
    """Return the refusal of a text that is not JSON. line: the only one that was read; None: the whole file was."""
    place = f"{path}: line {line}" if line else str(path)
    why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    if isinstance(error, json.JSONDecodeError):
        why = error.msg
        place = f"{path}: line {line or error.lineno}, column {error.colno}"
    return BadData(f"{place}: not JSON{_looks_like(path)}: {why}")


def _expect_distinct(columns: Sequence[str], path: Path) -> None:
    """Raise BadData where two columns have one name: only one of them could be read."""
    for index, name in enumerate(columns):
        if name and name in columns[:index]:
            raise BadData(f"{path} has two columns {name!r}; rename or remove one")


def _record(path: Path, number: int, unit: str, values: Any) -> Row:
    if not isinstance(values, dict):
        raise BadData(f"{path}: {unit} {number} is not a record with named columns but {type(values).__name__}")
    return Row(path, number, unit, values)


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise BadData(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror}") from error


def _lines(text: str) -> Iterator[str]:
    """Return the lines with their ends.

    `str.splitlines` would also cut at U+2028, U+0085 and others: ordinary characters within JSON texts and CSV fields.
    """
    return io.StringIO(text, newline="")


def _looks_like(path: Path) -> str:
    """Return a remark on what the file seems to be instead: most broken downloads are web pages."""
    with path.open("rb") as file:
        head = file.read(256).lstrip().lower()
    return "; it looks like a web page" if head.startswith((b"<!doctype", b"<html", b"<?xml")) else ""
