"""Reading data files: rows as dicts, each with the place it came from, so that a complaint can name it."""

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kaito_runtime.errors import BadConfig, BadData, NotFound

_KINDS: Final = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
}
_MAGIC: Final = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"))


@dataclass(frozen=True)
class DataFile:
    """A file and how to read it: parquet, arrow, jsonl, json, csv or tsv."""

    path: Path
    kind: str


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


def find_files(places: Sequence[Path], *, extension: str | None = None) -> list[DataFile]:
    """Return the data files at `places`, folders searched through, in the order of their names.

    A file that is named itself must be readable as data; in a folder, files of other kinds are left alone, as are
    hidden ones. extension overrides what the names say. Raises NotFound when a place does not exist, BadData when no
    data file is found.
    """
    kind = _extension_kind(extension) if extension else None
    found: list[DataFile] = []
    for place in places:
        if place.is_file():
            found.append(DataFile(place, kind or _kind_of(place) or _unknown(place)))
        elif place.is_dir():
            for path in sorted(_walk(place)):
                seen = kind or _kind_of(path)
                if seen:
                    found.append(DataFile(path, seen))
        else:
            raise NotFound(f"there is no data file or folder {place}")
    if not found:
        listed = ", ".join(str(place) for place in places)
        raise BadData(f"no data file under {listed}; looked for {', '.join(sorted(set(_KINDS.values())))}")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(base) / name
            if not name.startswith(".") and path.is_file():
                yield path


def _extension_kind(extension: str) -> str:
    name = "." + extension.lower().lstrip(".")
    if name not in _KINDS:
        known = ", ".join(sorted(key[1:] for key in _KINDS))
        raise BadConfig(f"DatasetConfig.dataset_extension {extension!r} is not a known format; known are {known}")
    return _KINDS[name]


def _kind_of(path: Path) -> str | None:
    """Return the kind by the name's ending, else by the first bytes; None for something that is no data."""
    by_name = _KINDS.get(path.suffix.lower())
    if by_name:
        return by_name
    with path.open("rb") as file:
        head = file.read(64)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    start = head.lstrip()[:1]
    return {b"{": "jsonl", b"[": "json"}.get(start)


def _unknown(path: Path) -> str:
    raise BadData(f"{path} is not in a known data format (parquet, arrow, jsonl, json, csv)")


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
            rows = table.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise BadData(f"{file.path} is not a readable arrow file{_looks_like(file.path)}") from error
    for number, values in enumerate(rows, start=1):
        yield Row(file.path, number, "row", values)


def _read_jsonl(file: DataFile) -> Iterator[Row]:
    for number, line in enumerate(_lines(_text(file.path)), start=1):
        if line.strip():
            try:
                values = json.loads(line)
            except ValueError as error:
                hint = _looks_like(file.path)
                raise BadData(f"{file.path}: line {number} is not JSON{hint}: {error}") from error
            yield _record(file.path, number, "line", values)


def _read_json(file: DataFile) -> Iterator[Row]:
    """Read a list of records, an object with one list of records in it, or one record a line."""
    text = _text(file.path)
    try:
        document = json.loads(text)
    except ValueError as error:
        first = text.lstrip().splitlines()[0] if text.strip() else ""
        if first.startswith("{") and first.rstrip().endswith("}"):
            yield from _read_jsonl(file)
            return
        raise BadData(f"{file.path} is not JSON{_looks_like(file.path)}: {error}") from error
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
        header = next(reader, None)
        if not header or text.lstrip().startswith("<"):
            raise BadData(f"{file.path} has no header line with column names{_looks_like(file.path)}")
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


def _record(path: Path, number: int, unit: str, values: Any) -> Row:
    if not isinstance(values, dict):
        raise BadData(f"{path}: {unit} {number} is not a record with named columns but {type(values).__name__}")
    return Row(path, number, unit, values)


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise BadData(f"{path} is not UTF-8 text (byte {error.start})") from error
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
