"""Addresses as they may be shown: without user, password and signatures."""

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_SECRET: Final = re.compile(
    r"(?i)(^|&)((?:sig|token|access_token|key|api_key|apikey|password|signature|credential|x-amz-[a-z-]+)=)[^&]*"
)


def shown(url: str) -> str:
    """Return `url` for messages and logs."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = _SECRET.sub(r"\1\2…", parts.query)
    return urlunsplit((parts.scheme, host, parts.path, query, ""))
