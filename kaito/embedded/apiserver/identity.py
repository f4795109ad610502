"""Who makes a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"


@dataclass(frozen=True)
class User:
    """A user as authentication found it; `groups` already holds system:authenticated or system:unauthenticated."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_master(self) -> bool:
        return MASTERS in self.groups

    def info(self) -> dict[str, object]:
        """authentication.k8s.io UserInfo."""
        found: dict[str, object] = {"username": self.name}
        if self.uid:
            found["uid"] = self.uid
        if self.groups:
            found["groups"] = list(self.groups)
        if self.extra:
            found["extra"] = {key: list(values) for key, values in self.extra.items()}
        return found


ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))
"""Who sends no credentials."""

SERVER = User("system:apiserver", (MASTERS, AUTHENTICATED))
"""The API server itself, for its own bootstrap writes."""


def authenticated(name: str, groups: tuple[str, ...] = (), **more: object) -> User:
    """A user who proved who he is: adds the group system:authenticated."""
    return User(name, (*groups, AUTHENTICATED), **more)  # type: ignore[arg-type]


def service_account_name(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"
