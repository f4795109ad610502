import contextlib
import gzip
import io
import tarfile
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kaito_runtime.errors import BadData
from kaito_runtime.images import unpacking
from kaito_runtime.images.unpacking import Allowance, unpack_layer

Entry = tuple[str, bytes | None] | tuple[str, str, bytes]


def layer(path: Path, *entries: tuple[str, str | bytes | None], compress: bool = True) -> Path:
    """Write a layer: bytes are files, None folders, text symbolic links, `=text` hard links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                entry.type = tarfile.LNKTYPE if content.startswith("=") else tarfile.SYMTYPE
                entry.linkname = content.removeprefix("=")
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    data = buffer.getvalue()
    path.write_bytes(gzip.compress(data) if compress else data)
    return path


def tree(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def unpack(tmp_path: Path, *layers: list[tuple[str, str | bytes | None]]) -> dict[str, str]:
    root = tmp_path / "data"
    for number, entries in enumerate(layers):
        unpack_layer(layer(tmp_path / f"layer{number}", *entries), root, name="image")
    return tree(root)


def test_an_image_of_kaito_0_3_can_be_read(tmp_path: Path) -> None:
    busybox: list[tuple[str, str | bytes | None]] = [
        ("bin/", None),
        ("bin/sh", b"x"),
        ("bin/ls", "=bin/sh"),
        ("tmp", None),
    ]
    found = unpack(
        tmp_path,
        busybox,
        [("data/", None), ("data/adapter_config.json", b"{}")],
        [("data/adapter_model.safetensors", b"w"), ("etc/.wh.passwd", b"")],
    )
    assert found == {"adapter_config.json": "{}", "adapter_model.safetensors": "w"}


def test_plain_layers_and_leading_dots_are_understood(tmp_path: Path) -> None:
    path = layer(tmp_path / "l", ("./data/a", b"1"), ("/data/b", b"2"), compress=False)
    unpack_layer(path, tmp_path / "data", name="image")
    assert tree(tmp_path / "data") == {"a": "1", "b": "2"}


def test_later_layers_replace_and_whiteouts_remove(tmp_path: Path) -> None:
    lower: list[tuple[str, str | bytes | None]] = [
        ("data/a", b"1"),
        ("data/b", b"1"),
        ("data/c/x", b"1"),
        ("data/c/y", b"1"),
    ]
    assert unpack(tmp_path, lower, [("data/.wh.a", b""), ("data/b", b"2")]) == {"b": "2", "c/x": "1", "c/y": "1"}
    assert unpack(tmp_path, [("data/c/z", b"3"), ("data/c/.wh..wh..opq", b"")]) == {"b": "2", "c/z": "3"}
    assert unpack(tmp_path, [(".wh.data", b""), ("data/n", b"4")]) == {"n": "4"}


def test_links_within_the_folder_are_kept(tmp_path: Path) -> None:
    found = unpack(tmp_path, [("data/a", b"1"), ("data/s/l", "../a"), ("data/abs", "/data/a"), ("data/h", "=data/a")])
    assert found == {"a": "1", "s/l": "1", "abs": "1", "h": "1"}


@pytest.mark.parametrize(
    "entries",
    [
        [("data/../../evil", b"x")],
        [("../data/evil", b"x")],
        [("data/l", "../../outside"), ("data/l/x", b"x")],
        [("data/l", "/etc"), ("data/l/x", b"x")],
        [("data/l", "/data/../etc")],
        [("data/d", None), ("data/l", "d"), ("data/l/x", b"x")],
        [("data/h", "=etc/passwd")],
        [("data/h", "=../../etc/passwd")],
        [("data", b"file")],
        [("data/a", b"1"), ("data/.wh...", b"")],
        [("data/a", b"1"), ("data/.wh..", b"")],
        [("data/a", b"1"), ("data/.wh.", b"")],
        [("data/a", b"1"), ("data/a/b", b"2")],
        [("data/" + "n" * 300, b"1")],
    ],
)
def test_what_leads_out_of_the_folder_is_refused(tmp_path: Path, entries: list[tuple[str, str | bytes | None]]) -> None:
    with pytest.raises(BadData):
        unpack(tmp_path, entries)
    assert {path.name for path in tmp_path.iterdir()} <= {"data", "layer0"}


parts = ["..", ".", "data", "a", "b", ".wh.a", ".wh..", ".wh...", ".wh.", ".wh..wh..opq", ""]
names = st.lists(st.sampled_from(parts), max_size=5).map("/".join)
contents = st.one_of(st.none(), st.binary(max_size=3), names, names.map(lambda name: "=" + name))


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(names, contents), max_size=8))
def test_no_archive_writes_outside(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str | bytes | None]]
) -> None:
    folder = tmp_path_factory.mktemp("unpack")
    root = folder / "inner" / "data"
    root.parent.mkdir()
    (root.parent / "beside").touch()
    with contextlib.suppress(BadData):
        unpack_layer(layer(folder / "layer", *entries), root, name="image")
    assert {path.name for path in folder.iterdir()} == {"layer", "inner"}
    assert {path.name for path in (folder / "inner").glob("*")} - {"data"} == {"beside"}
    for path in root.rglob("*"):
        assert root.resolve() in path.resolve().parents or path.resolve() == root.resolve()


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    whole = layer(tmp_path / "layer", ("data/a", b"1" * 5000)).read_bytes()
    (tmp_path / "layer").write_bytes(whole[:40])
    with pytest.raises(BadData, match="not a readable archive"):
        unpack_layer(tmp_path / "layer", tmp_path / "data", name="image")


def test_a_broken_zstd_layer_is_refused(tmp_path: Path) -> None:
    whole = layer(tmp_path / "layer", ("data/a", b"1" * 5000), compress=False).read_bytes()
    (tmp_path / "layer").write_bytes(pyarrow.compress(whole, codec="zstd", asbytes=True)[:40])
    with pytest.raises(BadData, match="not a readable archive"):
        unpack_layer(tmp_path / "layer", tmp_path / "data", name="image")


def test_devices_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "layer", "w") as archive:
        for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
            entry = tarfile.TarInfo(f"data/{kind!r}")
            entry.type = kind
            archive.addfile(entry)
        archive.addfile(tarfile.TarInfo("data/a"))
    unpack_layer(tmp_path / "layer", tmp_path / "data", name="image")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["a"]


def zeros(name: str, size: int) -> bytes:
    """A compressed layer of one file of zeros: a thousandth of its size."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    return gzip.compress(entry.tobuf() + bytes(size + 1024))


def sparse(name: str, size: int) -> bytes:
    """A layer of one file that is said to be this large, of which nothing is there."""
    entry = tarfile.TarInfo(name)
    entry.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.size": str(size), "GNU.sparse.map": f"{size},0"}
    return entry.tobuf(tarfile.PAX_FORMAT) + bytes(1024)


@pytest.mark.parametrize("content", [zeros("data/a", 1 << 20), zeros("etc/a", 1 << 20), sparse("data/a", 1 << 40)])
def test_a_bomb_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(unpacking, "SMALL", 1000)
    (tmp_path / "layer").write_bytes(content)
    with pytest.raises(BadData, match=r"^image: it unpacks to more than \d+ bytes"):
        unpack_layer(tmp_path / "layer", tmp_path / "data", name="image")
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) < 1 << 20


def test_copies_of_links_and_all_layers_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "SMALL", 100_000)
    file: list[tuple[str, str | bytes | None]] = [("data/a", bytes(20_000))]
    links: list[tuple[str, str | bytes | None]] = [(f"data/{number}", "=data/a") for number in range(5)]
    root = tmp_path / "data"
    with pytest.raises(BadData, match="more than 100000 bytes"):
        unpack_layer(layer(tmp_path / "layer", *file, *links), root, name="image")
    allowance = Allowance(0)
    plain = layer(tmp_path / "layer", *file, compress=False)
    for _ in range(3):
        unpack_layer(plain, root, name="image", allowance=allowance)
    with pytest.raises(BadData, match="more than 100000 bytes"):
        unpack_layer(plain, root, name="image", allowance=allowance)
