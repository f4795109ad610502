"""What every namespace gets: the `default` ServiceAccount and the cluster's CA certificate."""

from __future__ import annotations

from kaito.embedded.controllers.cluster import Cluster
from kaito.kube.errors import AlreadyExists, ApiError
from kaito.kube.objects import Key, is_deleting
from kaito.kube.resources import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS

ROOT_CA = "kube-root-ca.crt"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class DefaultServiceAccounts:
    """Keeps a ServiceAccount `default` in every namespace. Source: pkg/controller/serviceaccount."""

    def __init__(self, cluster: Cluster) -> None:
        self._namespaces, self._accounts = cluster.cache(NAMESPACES), cluster.cache(SERVICE_ACCOUNTS)
        cluster.run(
            "serviceaccount",
            self.reconcile,
            watches={
                NAMESPACES: lambda namespace: [Key("", namespace["metadata"]["name"])],
                SERVICE_ACCOUNTS: lambda account: (
                    [Key("", account["metadata"]["namespace"])] if account["metadata"]["name"] == "default" else []
                ),
            },
        )

    async def reconcile(self, key: Key) -> None:
        """Make the account when the namespace lacks it."""
        namespace = self._namespaces.get(key)
        if namespace is None or is_deleting(namespace) or self._accounts.get(Key(key.name, "default")) is not None:
            return
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": key.name},
        }
        try:
            await self._accounts.create(account)
        except AlreadyExists:
            return


class RootCertificates:
    """Keeps the ConfigMap `kube-root-ca.crt` in every namespace. Source: rootcacertpublisher."""

    def __init__(self, cluster: Cluster, ca_pem: bytes) -> None:
        self._data = {"ca.crt": ca_pem.decode()}
        self._namespaces, self._maps = cluster.cache(NAMESPACES), cluster.cache(CONFIG_MAPS)
        cluster.run(
            "root-ca-certificate-publisher",
            self.reconcile,
            watches={
                NAMESPACES: lambda namespace: [Key("", namespace["metadata"]["name"])],
                CONFIG_MAPS: lambda obj: (
                    [Key("", obj["metadata"]["namespace"])] if obj["metadata"]["name"] == ROOT_CA else []
                ),
            },
        )

    async def reconcile(self, key: Key) -> None:
        """Make the ConfigMap, or bring its data back."""
        namespace = self._namespaces.get(key)
        if namespace is None or is_deleting(namespace):
            return
        current = self._maps.get(Key(key.name, ROOT_CA))
        if current is None:
            metadata = {
                "name": ROOT_CA,
                "namespace": key.name,
                "annotations": {"kubernetes.io/description": DESCRIPTION},
            }
            try:
                await self._maps.create(
                    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": self._data}
                )
            except AlreadyExists:
                return
            except ApiError as error:
                if not error.namespace_terminating:
                    raise
        elif current.get("data") != self._data:
            await self._maps.update({**current, "data": self._data})
