"""Admission of Workspaces and InferenceSets: Kaito 0.12's rules and texts as pure functions.

    check_decoding(workspace)                       # DecodingError: pod templates and volumes, before everything else
    errors = validate_create(workspace, context)
    errors = validate_update(old, new, context)
    str(errors) == ""   # admitted

`context` carries everything that would be read from a cluster. Deliberate differences: `docs/deviations.md`.
"""

from kaito.api.validation.context import AdmissionContext, Catalog, ConfigMapLookup
from kaito.api.validation.decoding import DecodingError, check_decoding
from kaito.api.validation.fielderrors import FieldErrors
from kaito.api.validation.inferenceset import validate_inferenceset
from kaito.api.validation.workspace import denial, validate_create, validate_update

__all__ = [
    "AdmissionContext",
    "Catalog",
    "ConfigMapLookup",
    "DecodingError",
    "FieldErrors",
    "check_decoding",
    "denial",
    "validate_create",
    "validate_inferenceset",
    "validate_update",
]
