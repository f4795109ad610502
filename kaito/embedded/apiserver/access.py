"""Impersonation: acting as somebody else, where RBAC allows it (`kubectl --as`)."""

from __future__ import annotations

import html
from collections.abc import Mapping
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from kaito.embedded.apiserver.authorizing import Attributes, Authorizer
from kaito.embedded.apiserver.errors import PlainError
from kaito.embedded.apiserver.identity import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User

_USER, _GROUP, _UID, _EXTRA = "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-"
_AUTHENTICATION = "authentication.k8s.io"
_ACCOUNT = "system:serviceaccount:"


def impersonated(user: User, headers: CIMultiDictProxy[str], authorizer: Authorizer, path: str) -> User:
    """The user a request counts as. Raises a 403 for who may not, a plain 500 for headers without a user.

    `path` with its query is what the 500 shows.
    """
    name = headers.get(_USER, "")
    groups = headers.getall(_GROUP, [])
    uid = headers.get(_UID, "")
    extra: dict[str, tuple[str, ...]] = {}
    for key in headers:
        if key.lower().startswith(_EXTRA.lower()):
            extra[unquote(key[len(_EXTRA) :]).lower()] = tuple(headers.getall(key))
    if not name:
        if groups or uid or extra:
            raise without_a_user(path, groups, extra, uid)
        return user
    account = name.removeprefix(_ACCOUNT).split(":") if name.startswith(_ACCOUNT) else []
    if len(account) == 2:
        authorizer.check(
            user, Attributes("impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])
        )
        groups = groups or ["system:serviceaccounts", f"system:serviceaccounts:{account[0]}"]
    else:
        authorizer.check(user, Attributes("impersonate", resource="users", name=name))
    for group in groups:
        authorizer.check(user, Attributes("impersonate", resource="groups", name=group))
    for key, values in extra.items():
        for value in values:
            wanted = Attributes("impersonate", _AUTHENTICATION, "v1", "userextras", key, value)
            authorizer.check(user, wanted)
    if uid:
        authorizer.check(user, Attributes("impersonate", _AUTHENTICATION, "v1", "uids", name=uid))
    if name == ANONYMOUS.name:
        groups = groups if UNAUTHENTICATED in groups else [*groups, UNAUTHENTICATED]
    elif AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
        groups = [*groups, AUTHENTICATED]
    return User(name, tuple(groups), uid, extra)


def without_a_user(path: str, groups: list[str], extra: Mapping[str, tuple[str, ...]], uid: str) -> PlainError:
    """What was asked for in vain, as Go prints a list of object references."""
    asked = [f"{{Group  {group}    }}" for group in groups]
    for key, values in extra.items():
        asked += [f"{{UserExtra  {value}  {_AUTHENTICATION}/v1  {key}}}" for value in values]
    if uid:
        asked.append(f"{{UID  {uid}  {_AUTHENTICATION}/v1  }}")
    shown = f'Internal Server Error: "{path}": requested [{" ".join(asked)}] without impersonating a user'
    return PlainError(500, html.escape(shown, quote=False) + "\n")
