"""What all resource models share: camelCase on the wire, field docstrings that become schema descriptions.

A CRD default is written as `crd(default=...)` and never as the Python default: the API server fills defaults in, so a
model that was parsed from a stored object shows what is stored, and validation can tell "absent" from "default".
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """A piece of a Kubernetes object; unknown fields are ignored, as the API server prunes them."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        defer_build=True,  # most commands never parse one
    )

    def to_object(self) -> dict[str, Any]:
        """The wire form: camelCase keys, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def crd(*, alias: str | None = None, required: bool = False, **schema: Any) -> Any:
    """Field with extra OpenAPI keywords (`default`, `enum`, `format`, `x_kubernetes_...`) for the generated CRD.

    `required=True` puts the field into the schema's `required` list while the model still parses objects without it:
    refusing them is the API server's job, and validation must be able to look at anything.
    """
    extra: dict[str, Any] = {}
    for key, value in schema.items():
        extra[key.replace("_", "-") if key.startswith("x_kubernetes") else key] = value
    if required:
        extra["x-crd-required"] = True
    return Field(default=None, alias=alias, json_schema_extra=extra)


def preserve_unknown() -> Any:
    """A schemaless field: any JSON is stored as it is."""
    return crd(x_kubernetes_preserve_unknown_fields=True)


class Condition(ApiModel):
    """`metav1.Condition`."""

    last_transition_time: str | None = crd(required=True, format="date-time")
    """When the status last changed (RFC 3339, UTC)."""
    message: str | None = crd(required=True, maxLength=32768)
    """Sentence for a person; may be empty."""
    observed_generation: int | None = crd(format="int64", minimum=0)
    """metadata.generation that the condition was computed from."""
    reason: str | None = crd(
        required=True, maxLength=1024, minLength=1, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
    )
    """CamelCase identifier of the cause."""
    status: str | None = crd(required=True, enum=["True", "False", "Unknown"])
    """True, False or Unknown."""
    type: str | None = crd(
        required=True,
        maxLength=316,
        pattern=(
            r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
        ),
    )
    """Type of the condition in CamelCase."""


class LabelSelectorRequirement(ApiModel):
    """One expression of a label selector."""

    key: str | None = crd(required=True)
    """Label key."""
    operator: str | None = crd(required=True)
    """In, NotIn, Exists or DoesNotExist."""
    values: list[str] | None = crd(x_kubernetes_list_type="atomic")
    """Values for In and NotIn."""


class LabelSelector(ApiModel):
    """`metav1.LabelSelector`."""

    match_expressions: list[LabelSelectorRequirement] | None = crd(x_kubernetes_list_type="atomic")
    """Requirements, all of which must hold."""
    match_labels: dict[str, str] | None = crd()
    """Labels, all of which must be present with that value."""

    @field_validator("match_labels", mode="before")
    @classmethod
    def _null_is_empty(cls, value: Any) -> Any:
        """A null label value, which the API server stores, reads as an empty one, as in Go."""
        return {key: "" if one is None else one for key, one in value.items()} if isinstance(value, dict) else value
