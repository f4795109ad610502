"""The SQLite file beneath the store: one row an object, and one a collection for its last deletion.

Write-ahead logging with `synchronous=NORMAL`: a commit has reached the operating system before it is acknowledged, so
`kill -9` at any point loses nothing that was answered (a power cut may lose the last moments, as with any store that
does not wait for the disk). Checkpoints, which do wait for the disk, run in a thread of their own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

APPLICATION_ID = 0x4B414954  # "KAIT"; any other value means that the file is somebody else's
SCHEMA_VERSION = 2
MEMORY = ":memory:"
_CHECKPOINT_EVERY = 2000  # commits
_PUT = "INSERT OR REPLACE INTO objects VALUES (?,?,?,?,?)"
_DELETE = "DELETE FROM objects WHERE collection=? AND namespace=? AND name=?"
_DELETIONS = "CREATE TABLE deletions (collection TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID"
_NOTE_DELETION = "INSERT OR REPLACE INTO deletions VALUES (?,?)"
_EVERY_COLLECTION = ""
"""Stands in `deletions` for whatever was deleted before the file had that table."""


class StoreError(Exception):
    """The store's file cannot be used; the message is one sentence that names the file and says what to do."""


class Row(NamedTuple):
    """An object's place and content: `collection` is "group/plural", `body` its JSON (None: the object is gone)."""

    collection: str
    namespace: str
    name: str
    revision: int
    body: bytes | None


class Database:
    """Opens, checks and writes the file. Not for use from several threads; one process at a time (a lock file)."""

    def __init__(self, path: str) -> None:
        """Raises StoreError for a file that is locked, damaged, newer than this program, or not a store at all."""
        self.path = path
        self._lock: int | None = None
        self._commits = 0
        self._checkpoint: threading.Thread | None = None
        if path != MEMORY:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        try:
            self._connection = self._open()
        except BaseException:
            self._drop_lock()
            raise

    def _take_lock(self) -> None:
        self._lock = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as busy:
            self._drop_lock()
            message = f"{self.path} is in use by another running cluster: stop that one first, or choose another folder"
            raise StoreError(message) from busy

    def _drop_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and owner != APPLICATION_ID:
                raise StoreError(f"{self.path} is not a cluster's store: choose another folder")
            if version > SCHEMA_VERSION:
                raise StoreError(
                    f"{self.path} was written by a newer version (format {version}, this one knows {SCHEMA_VERSION}): "
                    "use that version, or another folder"
                )
            damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if damage != "ok":
                raise StoreError(f"{self.path} is damaged ({damage}): restore a copy of it, or choose another folder")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            if not tables:
                self._create(connection)
            elif version < SCHEMA_VERSION:
                self._upgrade(connection)
        except sqlite3.DatabaseError as problem:
            connection.close()
            raise StoreError(
                f"{self.path} is damaged or no store ({problem}): restore a copy of it, or choose another folder"
            ) from problem
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _create(connection: sqlite3.Connection) -> None:
        # One transaction: a crash in between leaves an empty file, which the next start fills.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute(
            "CREATE TABLE objects (collection TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, "
            "revision INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (collection, namespace, name)) WITHOUT ROWID"
        )
        connection.execute(_DELETIONS)
        connection.execute("COMMIT")

    @staticmethod
    def _upgrade(connection: sqlite3.Connection) -> None:
        """From format 1, which counted revisions and kept no deletions."""
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_DELETIONS)
        connection.execute("INSERT INTO deletions SELECT ?, revision FROM counter", (_EVERY_COLLECTION,))
        connection.execute("DROP TABLE counter")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")

    def revision(self) -> int:
        """The last revision that was committed: that of the newest object or deletion."""
        deleted = self._connection.execute("SELECT max(revision) FROM deletions").fetchone()[0]
        stored = self._connection.execute("SELECT max(revision) FROM objects").fetchone()[0]
        return max(int(deleted or 0), int(stored or 0))

    def last_changes(self) -> dict[str, int]:
        """The revision of the last change in each collection that ever had one; "" for those not listed."""
        changes = {name: int(at) for name, at in self._connection.execute("SELECT * FROM deletions")}
        before = changes.setdefault(_EVERY_COLLECTION, 0)
        newest = self._connection.execute("SELECT collection, max(revision) FROM objects GROUP BY collection")
        for name, at in newest.fetchall():
            changes[name] = max(int(at), changes.get(name, 0))
        return {name: max(at, before) for name, at in changes.items()}

    def rows(self) -> Iterator[Row]:
        """Every object, by collection, namespace and name. Raises StoreError where the file cannot be read."""
        try:
            for row in self._connection.execute("SELECT collection, namespace, name, revision, body FROM objects"):
                yield Row(*row)
        except sqlite3.DatabaseError as problem:
            raise StoreError(f"{self.path} cannot be read ({problem}): restore a copy of it") from problem

    def write(self, rows: Sequence[Row]) -> None:
        """Commits all rows together; on any error nothing is written and StoreError is raised."""
        execute = self._connection.execute
        try:
            if len(rows) == 1 and rows[0].body is not None:
                execute(_PUT, rows[0])  # a transaction of its own
            else:
                execute("BEGIN IMMEDIATE")
                for row in rows:
                    if row.body is None:
                        execute(_DELETE, row[:3])
                        execute(_NOTE_DELETION, (row.collection, row.revision))
                    else:
                        execute(_PUT, row)
                execute("COMMIT")
        except sqlite3.Error as problem:
            with contextlib.suppress(sqlite3.Error):
                execute("ROLLBACK")
            raise StoreError(f"{self.path} cannot be written ({problem})") from problem
        self._commits += 1
        if self._commits >= _CHECKPOINT_EVERY and self.path != MEMORY:
            self._commits = 0
            self._start_checkpoint()

    def _start_checkpoint(self) -> None:
        if self._checkpoint is not None and self._checkpoint.is_alive():
            return
        self._checkpoint = threading.Thread(target=self._run_checkpoint, name="store-checkpoint", daemon=True)
        self._checkpoint.start()

    def _run_checkpoint(self) -> None:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self.path)) as other:
            other.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Ends a running checkpoint, writes the log back into the file and releases the lock."""
        if self._checkpoint is not None:
            self._checkpoint.join()
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        self._drop_lock()
