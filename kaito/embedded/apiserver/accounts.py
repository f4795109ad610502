"""serviceaccounts/token: TokenRequest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver.answering import send
from kaito.embedded.apiserver.bodies import read_object
from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import Cause, GroupResource, conflict, invalid, not_found
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.negotiating import choose
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import ObjectKey, Store
from kaito.embedded.apiserver.tokens import DEFAULT_SECONDS, ISSUER, Bound, TokenIssuer
from kaito.embedded.apiserver.writing import timestamp

_KIND = GroupResource("authentication.k8s.io", "TokenRequest")
_SHORTEST, _LONGEST = 600, 2**32
_BOUND = {"Pod": "/pods", "Secret": "/secrets", "Node": "/nodes"}


def uid_lookup(store: Store) -> Callable[[str, str, str], str]:
    """The uid of a live object by kind, namespace and name, "" where it is gone or going."""
    collections = {**_BOUND, "ServiceAccount": "/serviceaccounts"}

    def uid_of(kind: str, namespace: str, name: str) -> str:
        entry = store.collection(collections[kind]).get(ObjectKey(namespace, name))
        return entry.object["metadata"]["uid"] if entry is not None else ""

    return uid_of


class Accounts:
    """Issues tokens for service accounts."""

    def __init__(self, store: Store, reader: Reader, issuer: TokenIssuer) -> None:
        self._store = store
        self._reader = reader
        self._issuer = issuer

    async def token(self, call: Call, resource: Resource, namespace: str) -> web.StreamResponse:
        form = choose(call.accept)
        body, _ = await read_object(call, "TokenRequest")
        spec: dict[str, Any] = body.get("spec") or {}
        name = call.info.name
        account = self._reader.entry(resource, namespace, name)
        seconds = spec.get("expirationSeconds")
        seconds = DEFAULT_SECONDS if seconds is None else seconds
        self._check_seconds(seconds)
        audiences = list(spec.get("audiences") or [ISSUER])
        bound = self._bound(namespace, name, spec.get("boundObjectRef"))
        uid = account.object["metadata"]["uid"]
        token, expires = self._issuer.issue(namespace, name, uid, audiences=audiences, seconds=seconds, bound=bound)
        answer = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "creationTimestamp": timestamp(datetime.now(UTC)),
            },
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {"token": token, "expirationTimestamp": timestamp(datetime.fromtimestamp(expires, UTC))},
        }
        return await send(call, orjson.dumps(answer), status=201, form=form)

    @staticmethod
    def _check_seconds(seconds: Any) -> None:
        problem = ""
        if not isinstance(seconds, int) or seconds < _SHORTEST:
            problem = "may not specify a duration less than 10 minutes"
        elif seconds > _LONGEST:
            problem = "may not specify a duration larger than 2^32 seconds"
        if problem:
            message = f"Invalid value: {seconds}: {problem}"
            raise invalid(_KIND, "", [Cause("FieldValueInvalid", message, "spec.expirationSeconds")])

    def _bound(self, namespace: str, account: str, reference: dict[str, Any] | None) -> Bound | None:
        if not reference:
            return None
        kind, name = reference.get("kind", ""), reference.get("name", "")
        collection = _BOUND.get(kind)
        if collection is None:
            message = f'Invalid value: "{kind}": unsupported kind'
            raise invalid(_KIND, "", [Cause("FieldValueInvalid", message, "spec.boundObjectRef.kind")])
        plural = GroupResource("", collection.removeprefix("/"))
        entry = self._store.collection(collection).get(ObjectKey("" if kind == "Node" else namespace, name))
        if entry is None:
            raise not_found(plural, name)
        uid = entry.object["metadata"]["uid"]
        if reference.get("uid") and reference["uid"] != uid:
            why = (
                f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise conflict(plural, name, why)
        if kind == "Pod":
            owner = (entry.object.get("spec") or {}).get("serviceAccountName") or "default"
            if owner != account:
                message = f'Invalid value: "{name}": cannot bind token for serviceaccount "{account}" to pod running '
                message += "with different serviceaccount name."
                raise invalid(_KIND, "", [Cause("FieldValueInvalid", message, "spec.boundObjectRef.name")])
        return Bound(kind, name, uid)
