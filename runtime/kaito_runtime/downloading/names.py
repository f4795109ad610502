"""The name under which a URL's file is kept."""

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from kaito_runtime.errors import UsageFailure
from kaito_runtime.transfer.addresses import shown


def file_name(url: str) -> str:
    """Return the last part of the URL's path, without query and fragment: upstream's rule.

    Raises UsageFailure for addresses that are not http(s) with a host, that name no file, or whose name would leave the
    directory.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise UsageFailure(f"{url.partition('?')[0].rpartition('@')[2]} is not an http(s) address: {error}") from None
    if not usable:
        raise UsageFailure(f"{shown(url)} is not an http(s) address")
    name = unquote(parts.path.rsplit("/", 1)[-1])
    if not name:
        raise UsageFailure(f"{shown(url)} names no file; its path must end in a file name")
    if name in (".", "..") or "/" in name or "\\" in name or "\0" in name or len(name.encode()) > 200:
        raise UsageFailure(f"{shown(url)} names a file that cannot be kept: {name!r}")
    return name.lstrip(".") or name


def distinct(names: list[str]) -> list[str]:
    """Return `names` with later duplicates numbered (`train.parquet`, `train-2.parquet`), so that none is lost."""
    seen: set[str] = set()
    kept = []
    for name in names:
        candidate, number = name, 1
        while candidate in seen:
            number += 1
            path = PurePosixPath(name)
            candidate = f"{path.stem}-{number}{path.suffix}"
        seen.add(candidate)
        kept.append(candidate)
    return kept
