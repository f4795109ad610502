"""Validation of CustomResourceDefinitions (apiextensions-apiserver/pkg/apis/apiextensions/validation)."""

from __future__ import annotations

from typing import Any, Final

from kaito.embedded.apiserver.kinds import names as naming
from kaito.embedded.apiserver.kinds.causes import duplicate, invalid, invalid_each, not_supported, required
from kaito.embedded.apiserver.kinds.model import Cause
from kaito.embedded.apiserver.schemas.decoding import emptied
from kaito.embedded.apiserver.structural.internal_schema import internal_versions
from kaito.embedded.apiserver.structural.schema import SERVED_FORMATS
from kaito.embedded.apiserver.structural.schema_checks import check_schema
from kaito.embedded.apiserver.structural.schema_paths import PathError, resolve

Json = dict[str, Any]
COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS: Final = ("int32", "int64", "float", "double", "byte", "date", "date-time", "password")
MOST_SELECTABLE: Final = 8
HOISTED: Final = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")


def check_crd(crd: Json) -> list[Cause]:
    """Everything wrong with a definition, metadata apart; a CEL rule that this server cannot run is wrong."""
    spec, status = crd.get("spec") or {}, crd.get("status") or {}
    group, names = spec.get("group", ""), spec.get("names") or {}
    name = (crd.get("metadata") or {}).get("name", "")
    causes: list[Cause] = []
    if name and name != f"{names.get('plural', '')}.{group}":
        causes.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if not group:
        causes.append(required("spec.group"))
    else:
        complaints = naming.subdomain(group)
        causes += invalid_each("spec.group", group, complaints)
        if not complaints and "." not in group:
            causes.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    scope = spec.get("scope", "")
    if scope not in ("Cluster", "Namespaced"):
        causes.append(
            not_supported("spec.scope", scope, ("Cluster", "Namespaced")) if scope else required("spec.scope")
        )
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        causes.append(invalid("spec.preserveUnknownFields", True, detail))
    causes += _check_versions(spec.get("versions") or emptied(spec, "versions"))
    causes += _check_names(names, "spec.names")
    causes += _check_conversion(spec.get("conversion") or {})
    return causes + _check_stored(status.get("storedVersions"), spec.get("versions") or [])


def unrecognized_formats(crd: Json) -> list[str]:
    """Warnings of formats of texts that nobody checks."""
    found: dict[str, None] = {}
    for version in (crd.get("spec") or {}).get("versions") or ():
        _collect_formats((version.get("schema") or {}).get("openAPIV3Schema") or {}, found)
    return [f'unrecognized format "{form}"' for form in found]


def _collect_formats(schema: Json, found: dict[str, None]) -> None:
    form = schema.get("format")
    if form and schema.get("type") == "string" and form not in SERVED_FORMATS:
        found[form] = None
    nested = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for child in nested:
        if isinstance(child, dict):
            _collect_formats(child, found)


def check_crd_update(new: Json, old: Json) -> list[Cause]:
    """What stays as it is once the definition is established; stored versions must stay listed."""
    causes: list[Cause] = []
    conditions = (old.get("status") or {}).get("conditions") or ()
    if any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions):
        for path in ("group", "scope", "names.kind", "names.plural"):
            mine, theirs = (_at(crd.get("spec") or {}, path) for crd in (new, old))
            if mine != theirs:
                causes.append(invalid(f"spec.{path}", mine, naming.IMMUTABLE))
    versions = {version.get("name") for version in (new.get("spec") or {}).get("versions") or ()}
    for index, stored in enumerate((new.get("status") or {}).get("storedVersions") or ()):
        if stored not in versions:
            detail = "missing from spec.versions; "
            detail += f"{stored} was previously a storage version, and must remain in spec.versions until a storage "
            detail += "migration ensures no data remains persisted in "
            detail += f"{stored} and removes {stored} from status.storedVersions"
            causes.append(invalid(f"status.storedVersions[{index}]", stored, detail))
    return causes


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = (value or {}).get(part)
    return value


def _check_versions(given: list[Json] | None) -> list[Cause]:
    causes: list[Cause] = []
    versions = given or []
    # Parts that are the same in all versions are reported once, at the top of the spec.
    shared = {part: all(v.get(part) == versions[0].get(part) for v in versions) for part in HOISTED} if versions else {}
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        name = version.get("name", "")
        causes += invalid_each(f"{path}.name", name, naming.label_1035(name))
        if version.get("deprecationWarning") is not None and not version.get("deprecated"):
            detail = "can only be set for deprecated versions"
            causes.append(invalid(f"{path}.deprecationWarning", version["deprecationWarning"], detail))
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            causes.append(required(f"{path}.schema.openAPIV3Schema"))
    listed = [version.get("name", "") for version in versions]
    if len(set(listed)) != len(listed):
        causes.append(invalid("spec.versions", internal_versions(given, shared), "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        detail = "must have exactly one version marked as storage version"
        causes.append(invalid("spec.versions", internal_versions(given, shared), detail))
    if listed and listed[0]:
        causes += invalid_each("spec.version", listed[0], naming.label_1035(listed[0]))
    for index, version in enumerate(versions):
        for part in HOISTED:
            if shared[part] and index:
                continue
            base = "spec" if shared[part] else f"spec.versions[{index}]"
            causes += _check_part(part, version, base, shared)
    return causes


def _check_part(part: str, version: Json, base: str, shared: dict[str, bool]) -> list[Cause]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    match part:
        case "schema":
            field = "validation" if shared[part] else "schema"
            has_status = (version.get("subresources") or {}).get("status") is not None
            where = f"{base}.{field}.openAPIV3Schema"
            return check_schema(schema, where, has_status=has_status) if schema is not None else []
        case "subresources":
            return _check_scale((version.get("subresources") or {}).get("scale"), f"{base}.subresources.scale")
        case "additionalPrinterColumns":
            return [
                cause
                for at, column in enumerate(version.get(part) or ())
                for cause in _check_column(column, f"{base}.{part}[{at}]")
            ]
        case _:
            fields = version.get(part) or []
            if fields and (shared["schema"] or schema is None) and not shared[part]:
                detail = "may only be set when `version.schema.openAPIV3Schema` is not included"
                return [invalid(f"{base}.{part}", "", detail)]
            if fields and shared[part] and (schema is None or not shared["schema"]):
                return [invalid(f"{base}.{part}", "", "may only be set when validations.schema is included")]
            return _check_selectable(fields, schema, f"{base}.{part}")


def _check_column(column: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if not column.get("name"):
        causes.append(required(f"{path}.name"))
    kind = column.get("type", "")
    if kind not in COLUMN_TYPES:
        detail = f"must be one of {','.join(COLUMN_TYPES)}"
        causes.append(invalid(f"{path}.type", kind, detail) if kind else required(f"{path}.type", detail))
    form = column.get("format", "")
    if form and form not in COLUMN_FORMATS:
        causes.append(invalid(f"{path}.format", form, f"must be one of {','.join(COLUMN_FORMATS)}"))
    where = column.get("jsonPath", "")
    if not where:
        causes.append(required(f"{path}.JSONPath"))
    elif not where.startswith("."):
        causes.append(invalid(f"{path}.JSONPath", where, "must be a simple json path starting with ."))
    return causes


def _check_scale(scale: Json | None, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if scale is None:
        return causes
    for field, root in (("specReplicasPath", "spec"), ("statusReplicasPath", "status"), ("labelSelectorPath", "")):
        where = scale.get(field) or ""
        if not where:
            if root:
                causes.append(required(f"{path}.{field}"))
        elif not where.startswith("."):
            causes.append(invalid(f"{path}.{field}", where, "must be a simple json path starting with ."))
        elif root and not where.startswith(f".{root}."):
            causes.append(invalid(f"{path}.{field}", where, f"should be a json path under .{root}"))
        elif not root and not where.startswith((".spec.", ".status.")):
            causes.append(invalid(f"{path}.{field}", where, "should be a json path under either .spec or .status"))
    return causes


def _check_selectable(fields: list[Json], schema: Json | None, path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    if len(fields) > MOST_SELECTABLE:
        detail = f"Too many: {len(fields)}: must have at most {MOST_SELECTABLE} items"
        causes.append(Cause(path, detail, "FieldValueTooMany"))
    for index, field in enumerate(fields):
        where, here = field.get("jsonPath", ""), f"{path}[{index}].jsonPath"
        if not where:
            causes.append(required(here))
            continue
        try:
            _, found = resolve(schema or {}, where, arrays=False)
        except PathError as problem:
            causes.append(invalid(here, where, f"is an invalid path: {problem}"))
            continue
        if found.get("type") not in ("string", "boolean", "integer"):
            detail = "must point to a field of type string, boolean or integer. "
            detail += "Enum string fields and strings with formats are allowed."
            causes.append(invalid(here, where, detail))
        if where in seen:
            causes.append(duplicate(here, where))
        seen.add(where)
    return causes


def _check_names(names: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("plural", "singular"):
        value = names.get(field, "")
        causes += (
            invalid_each(f"{path}.{field}", value, naming.label_1035(value)) if value else [required(f"{path}.{field}")]
        )
    for field in ("kind", "listKind"):
        value = names.get(field, "")
        mixed = [f"may have mixed case, but should otherwise match: {m}" for m in naming.label_1035(value.lower())]
        causes += invalid_each(f"{path}.{field}", value, mixed) if value else [required(f"{path}.{field}")]
    for index, short in enumerate(names.get("shortNames") or ()):
        causes += invalid_each(f"{path}.shortNames[{index}]", short, naming.label_1035(short))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        causes.append(invalid(f"{path}.listKind", names["listKind"], "kind and listKind may not be the same"))
    for index, category in enumerate(names.get("categories") or ()):
        causes += invalid_each(f"{path}.categories[{index}]", category, naming.label_1035(category))
    return causes


def _check_conversion(conversion: Json) -> list[Cause]:
    strategy = conversion.get("strategy", "")
    if strategy not in ("None", "Webhook"):
        return [not_supported("spec.conversion.strategy", strategy, ("None", "Webhook"))]
    if strategy == "Webhook":
        causes = []
        webhook = conversion.get("webhook") or {}
        if not webhook.get("clientConfig"):
            detail = "required when strategy is set to Webhook"
            causes.append(required("spec.conversion.webhookClientConfig", detail))
        if not webhook.get("conversionReviewVersions"):
            causes.append(required("spec.conversion.conversionReviewVersions"))
        return causes
    return []


def _check_stored(stored: list[str] | None, versions: list[Json]) -> list[Cause]:
    if not stored:
        return [invalid("status.storedVersions", stored or None, "must have at least one stored version")]
    storage = [version.get("name", "") for version in versions if version.get("storage")]
    if storage and storage[-1] not in stored:
        return [invalid("status.storedVersions", stored, f"must have the storage version {storage[-1]}")]
    return []
