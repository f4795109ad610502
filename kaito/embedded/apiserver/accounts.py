"""serviceaccounts/token: TokenRequest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from kaito.embedded.apiserver.context import Call
from kaito.embedded.apiserver.errors import Cause, GroupResource, bad_request, conflict, invalid, not_found
from kaito.embedded.apiserver.listing import Reader
from kaito.embedded.apiserver.negotiating import choose
from kaito.embedded.apiserver.resources import Resource
from kaito.embedded.apiserver.store import Entry, ObjectKey, Store
from kaito.embedded.apiserver.subresource_kinds import read_body, subresource_kind
from kaito.embedded.apiserver.tokens import DEFAULT_SECONDS, ISSUER, Bound, TokenIssuer
from kaito.embedded.apiserver.write_options import write_options
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
        """Answers with the request and the token in its status (TokenREST)."""
        form = choose(call.accept, ("object", "partial"))
        options = write_options(call.query, call.headers, "CreateOptions")
        requests = subresource_kind("authentication.k8s.io/v1", "TokenRequest")
        request = await read_body(call, requests, namespace, options.validation)
        metadata, spec = request["metadata"], request.setdefault("spec", {})
        if spec.get("expirationSeconds") is None:
            spec["expirationSeconds"] = DEFAULT_SECONDS
        requests.strategy.track(request, None, manager=options.manager, time=self._now(), subresource="token")
        name = call.info.name
        if metadata.get("name", name) != name:
            message = f'Invalid value: "{metadata["name"]}": must match the service account name if specified'
            raise invalid(_KIND, name, [Cause("FieldValueInvalid", message, "metadata.name")])
        account = self._reader.entry(resource, namespace, name)
        if not spec.get("audiences"):
            spec["audiences"] = [ISSUER]
        uid = account.object["metadata"]["uid"]
        metadata |= {"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": self._now()}
        seconds = spec["expirationSeconds"]
        self._check_seconds(seconds)
        bound = self._bound(namespace, name, spec.get("boundObjectRef"))
        token, expires = self._issuer.issue(
            namespace, name, uid, audiences=spec["audiences"], seconds=seconds, bound=bound
        )
        request["status"] = {"token": token, "expirationTimestamp": timestamp(datetime.fromtimestamp(expires, UTC))}
        bare = {part: value for part, value in request.items() if part not in ("kind", "apiVersion")}
        entry = Entry(ObjectKey(namespace, name), 0, bare, orjson.dumps(bare))
        return await self._reader.show(call, requests, entry, status=201, form=form)

    @staticmethod
    def _now() -> str:
        return timestamp(datetime.now(UTC))

    @staticmethod
    def _check_seconds(seconds: int) -> None:
        problem = ""
        if seconds < _SHORTEST:
            problem = "may not specify a duration less than 10 minutes"
        elif seconds > _LONGEST:
            problem = "may not specify a duration larger than 2^32 seconds"
        if problem:
            message = f"Invalid value: {seconds}: {problem}"
            raise invalid(_KIND, "", [Cause("FieldValueInvalid", message, "spec.expirationSeconds")])

    def _bound(self, namespace: str, account: str, reference: dict[str, Any] | None) -> Bound | None:
        """The object that the token is to be bound to. Raises 400, 404 and 409."""
        if reference is None:
            return None
        version, kind, name = (reference.get(part, "") for part in ("apiVersion", "kind", "name"))
        group, _, short = version.rpartition("/")
        collection = _BOUND.get(kind) if not group else None
        if collection is None:
            raise bad_request(f"cannot bind token to object of type {group}/{short}, Kind={kind}")
        if not name:
            raise bad_request("Name parameter required.")
        entry = self._store.collection(collection).get(ObjectKey("" if kind == "Node" else namespace, name))
        if entry is None:
            raise not_found(GroupResource("", collection.removeprefix("/")), name)
        if kind == "Pod" and (entry.object.get("spec") or {}).get("serviceAccountName", "") != account:
            raise bad_request(
                f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
            )
        uid = entry.object["metadata"]["uid"]
        if reference.get("uid", uid) != uid:
            why = (
                f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise conflict(GroupResource("", kind), name, why)
        return Bound(kind, name, uid)
