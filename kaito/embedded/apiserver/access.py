"""Impersonation: acting as somebody else, where RBAC allows it (`kubectl --as`)."""

from __future__ import annotations

from urllib.parse import unquote

from multidict import CIMultiDictProxy

from kaito.embedded.apiserver.authorizing import Attributes, Authorizer
from kaito.embedded.apiserver.errors import internal
from kaito.embedded.apiserver.identity import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User

_USER, _GROUP, _UID, _EXTRA = "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-"
_ACCOUNT = "system:serviceaccount:"


def impersonated(user: User, headers: CIMultiDictProxy[str], authorizer: Authorizer) -> User:
    """The user a request counts as. Raises a 403 for who may not, a 500 for headers without a user."""
    name = headers.get(_USER, "")
    groups = headers.getall(_GROUP, [])
    uid = headers.get(_UID, "")
    extra: dict[str, tuple[str, ...]] = {}
    for key in headers:
        if key.lower().startswith(_EXTRA.lower()):
            extra[unquote(key[len(_EXTRA) :]).lower()] = tuple(headers.getall(key))
    if not name:
        if groups or uid or extra:
            raise internal(f"requested {groups or uid or extra} without impersonating a user")
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
    authentication = "authentication.k8s.io"
    for key, values in extra.items():
        for value in values:
            wanted = Attributes("impersonate", authentication, "v1", "userextras", key, value)
            authorizer.check(user, wanted)
    if uid:
        authorizer.check(user, Attributes("impersonate", authentication, "v1", "uids", name=uid))
    implied = UNAUTHENTICATED if name == ANONYMOUS.name else AUTHENTICATED
    if implied not in groups:
        groups = [*groups, implied]
    return User(name, tuple(groups), uid, extra)
