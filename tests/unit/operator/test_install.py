"""What install puts into a cluster, and the webhook server it can name."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import aiohttp
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kaito.api.validation.context import AdmissionContext
from kaito.api.validation.tuning_config import check_config_map
from kaito.api.validation.workspace import WEBHOOK
from kaito.catalog import CATALOG
from kaito.kube.fake import FakeClient
from kaito.kube.resources import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES, VALIDATING_WEBHOOKS
from kaito.operator.admission import Reviewer
from kaito.operator.install import install
from kaito.operator.params import METHODS, params_template
from kaito.operator.settings import ModelFlavor, OperatorSettings
from kaito.operator.webhook import WebhookServer
from tests.unit.operator.world import tuning_workspace


class EstablishingClient(FakeClient):
    """Serves a CRD as soon as it is made."""

    async def create(self, resource: Any, obj: Any, **options: Any) -> dict[str, Any]:
        created = await super().create(resource, obj, **options)
        if resource == CUSTOM_RESOURCE_DEFINITIONS:
            self.seed({**created, "status": {"conditions": [{"type": "Established", "status": "True"}]}})
        return created


async def test_install_makes_all_of_it_and_a_second_one_changes_nothing() -> None:
    client = EstablishingClient()
    await install(client, OperatorSettings(), webhook=("https://127.0.0.1:1/validate/", b"ca"))
    assert len(client.objects(CUSTOM_RESOURCE_DEFINITIONS)) == 3
    assert client.find(NAMESPACES, "kaito-system") is not None
    names = {one["metadata"]["name"] for one in client.objects(CONFIG_MAPS)}
    assert names == {"lora-params-template", "qlora-params-template", "inference-params-template"}
    assert client.find(VALIDATING_WEBHOOKS, "validation.workspace.kaito.sh") is not None
    client.calls.clear()
    await install(client, OperatorSettings(), webhook=("https://127.0.0.1:1/validate/", b"ca"))
    assert not any(call.verb in ("update", "patch") for call in client.calls)


async def test_another_flavours_parameters_replace_the_old_ones() -> None:
    client = EstablishingClient()
    await install(client, OperatorSettings(model_flavor="full"))
    await install(client, OperatorSettings(model_flavor="tiny"))
    template = client.find(CONFIG_MAPS, "qlora-params-template", "kaito-system")
    assert template is not None
    assert template["data"]["training_config.yaml"] == params_template("qlora", "tiny")


@pytest.mark.parametrize("flavor", ["full", "tiny"])
@pytest.mark.parametrize("method", METHODS)
def test_the_templates_pass_admission(method: str, flavor: ModelFlavor) -> None:
    data = {"training_config.yaml": params_template(method, flavor)}
    context = AdmissionContext(catalog=CATALOG, config_map=lambda namespace, name: data)
    assert str(check_config_map(user_name="", method=method, namespace="default", context=context)) == ""


def test_the_tiny_flavour_learns_fast_and_the_full_one_as_kaito_does() -> None:
    tiny = yaml.safe_load(params_template("qlora", "tiny"))["training_config"]
    assert tiny["TrainingArguments"]["learning_rate"] == 5e-3
    assert 80 <= tiny["TrainingArguments"]["max_steps"] <= 100
    assert (tiny["LoraConfig"]["r"], tiny["LoraConfig"]["lora_alpha"]) == (16, 32)
    assert tiny["QuantizationConfig"]["bnb_4bit_compute_dtype"] == "float32"
    full = yaml.safe_load(params_template("qlora", "full"))["training_config"]
    assert (full["LoraConfig"]["r"], full["LoraConfig"]["lora_alpha"]) == (8, 8)
    assert "target_modules" not in full["LoraConfig"]


@dataclass
class Pair:
    cert_pem: bytes
    key_pem: bytes


def self_signed() -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    return Pair(certificate.public_bytes(encoding), private)


async def test_the_webhook_answers_admission_reviews_over_https() -> None:
    pair = self_signed()
    server = WebhookServer(Reviewer(FakeClient(), OperatorSettings()), pair)
    url = await server.start()
    trust = ssl.create_default_context(cadata=pair.cert_pem.decode())
    request = {
        "uid": "u1",
        "operation": "CREATE",
        "resource": {"group": "kaito.sh", "version": "v1beta1", "resource": "workspaces"},
        "object": tuning_workspace(method="magic"),
        "oldObject": None,
    }
    try:
        async with aiohttp.ClientSession() as session:
            async with session.post(url + WEBHOOK, json={"request": request}, ssl=trust) as answer:
                response = (await answer.json())["response"]
            assert (response["uid"], response["allowed"]) == ("u1", False)
            assert response["status"]["code"] == 400
            assert response["status"]["message"].startswith("validation failed: ")
            async with session.post(url + WEBHOOK, data=b"nonsense", ssl=trust) as answer:
                assert answer.status == 400
                assert "not an AdmissionReview" in await answer.text()
    finally:
        await server.stop()
    await server.stop()
