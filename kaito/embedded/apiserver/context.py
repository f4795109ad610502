"""What every handler needs, and one request in flight."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from multidict import CIMultiDict

from kaito.embedded.apiserver.identity import User
from kaito.embedded.apiserver.routing import RequestInfo

if TYPE_CHECKING:
    from aiohttp import web


@dataclass(slots=True)
class Call:
    """A request on its way through the server: what it asks, who asks, and what to warn of in the answer."""

    info: RequestInfo
    user: User
    query: Mapping[str, str]
    headers: Mapping[str, str]
    read_body: Callable[[], Awaitable[bytes]]
    http: web.BaseRequest
    warnings: list[str] = field(default_factory=list)

    @property
    def accept(self) -> str:
        return self.headers.get("Accept", "")

    @property
    def pretty(self) -> bool:
        """Indented answers: asked for, or a person at curl, wget or a browser."""
        asked = self.query.get("pretty")
        if asked is not None:
            return asked not in ("0", "false")
        agent = self.headers.get("User-Agent", "")
        return agent.startswith(("curl", "Wget", "Mozilla/5.0"))

    def warn(self, text: str) -> None:
        """Adds a Warning header to the answer, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def answer_headers(self) -> CIMultiDict[str]:
        """Headers that every answer carries, warnings included."""
        headers: CIMultiDict[str] = CIMultiDict({"Cache-Control": "no-cache, private"})
        for text in self.warnings:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
            headers.add("Warning", f'299 - "{quoted}"')
        return headers
