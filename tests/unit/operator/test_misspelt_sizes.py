"""A misspelt instance type is refused in Kaito's own words, and what was meant is said beside them."""

from __future__ import annotations

import pytest

from kaito.catalog.nearest import nearest_instance_types, shortened
from kaito.catalog.skus import sku_names
from kaito.kube.fake import FakeClient
from kaito.operator.admission import Review, Reviewer
from kaito.operator.params import METHODS, inference_config_map, params_config_map
from kaito.operator.settings import OperatorSettings
from tests.unit.operator.world import tuning_workspace

NAMESPACE = "kaito-system"


async def review(instance_type: str) -> Review:
    templates = [params_config_map(method, "tiny", NAMESPACE) for method in METHODS]
    reviewer = Reviewer(FakeClient(*templates, inference_config_map(NAMESPACE)), OperatorSettings())
    workspace = tuning_workspace()
    workspace["resource"]["instanceType"] = instance_type
    return await reviewer.review("CREATE", ("kaito.sh", "v1beta1", "workspaces"), None, workspace)


async def test_a_misspelt_size_keeps_kaitos_refusal_and_gets_a_warning_with_the_nearest() -> None:
    refused = await review("Standard_NC6s_v4")
    assert not refused.allowed
    assert "Unsupported instance type Standard_NC6s_v4. Supported SKUs: [" in refused.message
    (warning,) = refused.warnings
    assert "did you mean Standard_NC6s_v3 or " in warning
    assert "list all 49 with `kaito instance-types`" in warning
    assert "49 with" in shortened(refused.message)
    assert "Supported SKUs" not in shortened(refused.message)
    assert shortened(refused.message).endswith(": resource.instanceType")


@pytest.mark.parametrize(("blank", "shown"), [(" ", " "), ("\t", "\\t"), ("\n", "\\n")])
async def test_blanks_that_nobody_sees_are_shown(blank: str, shown: str) -> None:
    (warning,) = (await review(f"Standard_NC6s_v3{blank}")).warnings
    assert warning.startswith(
        f'instance type "Standard_NC6s_v3{shown}" is not known; did you mean Standard_NC6s_v3 or '
    )


async def test_other_verdicts_get_no_advice() -> None:
    assert await review("Standard_NC6s_v3") == Review(True)
    assert shortened("no such thing") == "no such thing"


@pytest.mark.parametrize(
    ("name", "first"), [("nc6s_v3", "Standard_NC6s_v3"), ("Standard_NC24ads_A100", "Standard_NC24ads_A100_v4")]
)
def test_the_prefix_and_case_do_not_count(name: str, first: str) -> None:
    assert nearest_instance_types(name, sku_names("azure"))[0] == first


@pytest.mark.parametrize("name", ["Standard_Toaster", "Standard_", "", "p3.2xlarge"])
def test_what_resembles_nothing_gets_no_guess(name: str) -> None:
    assert nearest_instance_types(name, sku_names("azure")) == []
