"""The store: revisions, the log behind watches, and what survives a crash."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kaito.embedded.apiserver.database import StoreError
from kaito.embedded.apiserver.store import Change, Compacted, Event, ObjectKey, Store

PODS = "/pods"


def put(store: Store, name: str, namespace: str = "default", **fields: object) -> int:
    content = {"metadata": {"name": name, "namespace": namespace}, **fields}
    return store.commit([Change(PODS, ObjectKey(namespace, name), content)])[0].revision


def drop(store: Store, name: str, namespace: str = "default") -> int:
    return store.commit([Change(PODS, ObjectKey(namespace, name), None)])[0].revision


def test_every_change_has_a_revision_of_its_own_and_the_object_carries_it() -> None:
    store = Store.open()
    assert [put(store, "a"), put(store, "b"), put(store, "a"), drop(store, "b")] == [1, 2, 3, 4]
    entry = store.collection(PODS).get(ObjectKey("default", "a"))
    assert entry is not None
    assert entry.object["metadata"]["resourceVersion"] == "3"
    assert b'"resourceVersion":"3"' in entry.encoded


def test_keys_are_ordered_as_etcd_orders_them() -> None:
    store = Store.open()
    for namespace in ("a", "a-b", "b"):
        put(store, "x", namespace)
    assert [entry.key.namespace for entry in store.collection(PODS).entries()] == ["a-b", "a", "b"]
    assert [entry.key.namespace for entry in store.collection(PODS).entries("a")] == ["a"]


def test_a_deletion_event_shows_the_last_state_with_the_revision_of_the_deletion() -> None:
    store = Store.open()
    seen: list[Event] = []
    store.collection(PODS).subscribe(seen.append)
    put(store, "a", phase="x")
    drop(store, "a")
    assert [event.type for event in seen] == ["ADDED", "DELETED"]
    assert seen[1].entry.object == {
        "metadata": {"name": "a", "namespace": "default", "resourceVersion": "2"},
        "phase": "x",
    }
    assert seen[1].previous is seen[0].entry


def test_the_past_can_be_read_back_as_far_as_the_log_reaches() -> None:
    store = Store.open()
    put(store, "a", n=1)
    put(store, "b")
    at = put(store, "a", n=2)
    drop(store, "b")
    put(store, "c")
    then = store.collection(PODS).entries_at(at)
    assert [(entry.key.name, entry.object.get("n")) for entry in then] == [("a", 2), ("b", None)]
    with pytest.raises(Compacted):
        Store.open().collection(PODS).entries_at(-1)


def test_several_changes_are_written_together_or_not_at_all() -> None:
    store = Store.open()
    with pytest.raises(KeyError):
        store.commit(
            [
                Change(PODS, ObjectKey("default", "a"), {"metadata": {}}),
                Change(PODS, ObjectKey("default", "missing"), None),
            ]
        )
    assert store.revision == 0
    assert len(store.collection(PODS)) == 0


def test_a_reopened_store_goes_on_from_the_last_revision_even_after_deletions(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    store = Store.open(path)
    put(store, "a")
    put(store, "b")
    drop(store, "b")
    store.close()
    again = Store.open(path)
    assert again.revision == 3
    assert [entry.key.name for entry in again.collection(PODS).entries()] == ["a"]
    with pytest.raises(Compacted):
        again.collection(PODS).since(1)
    again.close()


def test_a_reopened_store_knows_up_to_when_each_collection_was_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    store = Store.open(path)
    put(store, "a")
    gone = drop(store, "a")
    other = {"metadata": {"name": "n"}}
    store.commit([Change("/nodes", ObjectKey("", "n"), other)])
    store.close()
    again = Store.open(path)
    assert again.collection(PODS).since(gone) == []
    with pytest.raises(Compacted):
        again.collection(PODS).since(gone - 1)
    assert again.collection("/secrets").since(1) == []
    again.close()


def test_a_file_of_the_first_format_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = Store.open(str(path))
    put(store, "a")
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE deletions")
        connection.execute("CREATE TABLE counter (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), revision INTEGER)")
        connection.execute("INSERT INTO counter VALUES (1, 7)")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    again = Store.open(str(path))
    assert again.revision == 7
    assert put(again, "b") == 8
    with pytest.raises(Compacted):
        again.collection("/secrets").since(6)  # what was deleted before is not known
    again.close()
    assert Store.open(str(path)).revision == 8


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    store = Store.open(path)
    with pytest.raises(StoreError, match="in use by another running cluster"):
        Store.open(path)
    store.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\x01" * 500])
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    with pytest.raises(StoreError) as refused:
        Store.open(str(path))
    assert "\n" not in str(refused.value)
    assert path.read_bytes() == content


def test_a_newer_store_and_a_foreign_database_are_refused(tmp_path: Path) -> None:
    newer, foreign = tmp_path / "newer.db", tmp_path / "foreign.db"
    Store.open(str(newer)).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(StoreError, match="newer version"):
        Store.open(str(newer))
    with pytest.raises(StoreError, match="not a cluster's store"):
        Store.open(str(foreign))


def test_an_object_that_is_no_json_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = Store.open(str(path))
    put(store, "a")
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE objects SET body = '{'")
    connection.close()
    with pytest.raises(StoreError, match="damaged"):
        Store.open(str(path))


WRITER = """
import sys
from kaito.embedded.apiserver.store import Change, ObjectKey, Store
store = Store.open(sys.argv[1])
number = 0
while True:
    number += 1
    key = ObjectKey("default", f"p{number % 50}")
    store.commit([Change("/pods", key, {"metadata": {"name": key.name}, "number": number})])
    if number % 7 == 0:
        store.commit([Change("/pods", key, None)])
        print(number, "gone", flush=True)
    else:
        print(number, key.name, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 40, 333])
def test_no_acknowledged_write_is_lost_by_kill_9(tmp_path: Path, lines: int) -> None:
    path = str(tmp_path / "store.db")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().split() for _ in range(lines)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [line.split() for line in writer.stdout.read().splitlines() if len(line.split()) == 2]
    writer.stdout.close()
    writer.wait()
    expected: dict[str, int] = {}
    for number, name in acknowledged:
        if name == "gone":
            expected.pop(f"p{int(number) % 50}", None)
        else:
            expected[name] = int(number)
    store = Store.open(path)
    found = {entry.key.name: entry.object["number"] for entry in store.collection(PODS).entries()}
    last = int(acknowledged[-1][0])
    # One write more than was acknowledged may have been committed.
    assert {name: number for name, number in found.items() if number <= last and expected.get(name) != number} == {}
    late = {f"p{(last + 1) % 50}", f"p{last % 50}"}
    assert {name: number for name, number in expected.items() if name not in late and found.get(name) != number} == {}
    assert store.revision >= last
    store.close()
