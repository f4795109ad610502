"""Rules for data sources, destinations and adapters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from kaito.api.models.data import AdapterSpec, DataDestination, DataSource
from kaito.api.validation.fielderrors import NONE, FieldErrors, generic, invalid, missing
from kaito.api.validation.names import subdomain_problems
from kaito.api.validation.references import ImageReferenceError, check_reference
from kaito.api.validation.urls import check_data_url

MAX_ADAPTERS = 10
_DIGITS = "[0-9](?:_?[0-9])*"
_HEX = "(?:_?[0-9a-f])+"
_FLOAT = re.compile(
    rf"[+-]?(?:inf|infinity|nan|(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:e[+-]?{_DIGITS})?"
    rf"|0x(?:{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})p[+-]?{_DIGITS})",
    re.IGNORECASE | re.ASCII,
)
"""Go's floating point literals."""


def check_image(image: str, what: str) -> FieldErrors:
    """Findings about an image reference; `what` is `input` or `output`."""
    try:
        check_reference(image)
    except ImageReferenceError as error:
        return invalid(f"Unable to parse {what} image reference: {error}", "Image")
    return NONE


def check_source(source: DataSource, *, check_urls: bool) -> FieldErrors:
    """Findings about a data source; the v1alpha1 rules do not look at addresses."""
    errors, kinds = NONE, 0
    if source.urls:
        kinds += 1
        if check_urls:
            for url in source.urls:
                errors += check_data_url(url)
    if source.volume_source is not None:
        kinds += 1
    if source.image:
        kinds += 1
        errors += check_image(source.image, "input")
    if kinds != 1:
        errors += generic("Exactly one of URLs, Volume, or Image must be specified", "URLs", "Volume", "Image")
    return errors


def check_destination(destination: DataDestination) -> FieldErrors:
    """Findings about a data destination."""
    errors, kinds = NONE, 0
    if destination.volume_source is not None:
        kinds += 1
    if destination.image:
        kinds += 1
        errors += check_image(destination.image, "output")
        if not destination.image_push_secret:
            errors += missing("Must specify imagePushSecret with destination image")
    if kinds != 1:
        errors += missing("Exactly one of Volume or Image must be specified")
    return errors


def check_adapter(adapter: AdapterSpec, *, check_urls: bool) -> FieldErrors:
    """Findings about one adapter, relative to `inference`. Kaito applies these on update only."""
    source = adapter.source
    if source is None:
        return missing("Source")
    errors = check_source(source, check_urls=check_urls).via("Adapters")
    if not source.name:
        errors += missing("Name of Adapter field must be specified")
    elif problems := subdomain_problems(source.name):
        errors += invalid(", ".join(problems), "adapters.source.name")
    if not source.image and source.volume_source is None:
        errors += generic("Either Image or Volume must be specified for adapter source", "adapters.source")
    if source.urls:
        errors += generic("URLs are not supported as adapter source", "adapters.source.urls")
    return errors + _check_strength(source.name or "", adapter.strength)


def _check_strength(name: str, strength: str | None) -> FieldErrors:
    if strength is None:
        return NONE
    value, problem = parse_go_float(strength)
    errors = NONE
    if problem:
        errors += generic(f"Invalid strength value for Adapter '{name}': {problem}", "adapter")
    if value < 0 or value > 1:
        errors += generic(f"Strength value for Adapter '{name}' must be between 0 and 1", "adapter")
    return errors


def parse_go_float(text: str) -> tuple[float, str]:
    """(value, problem) as Go's `strconv.ParseFloat` gives them: 0 for bad syntax, an infinity out of range."""
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if not _FLOAT.fullmatch(text):
        return 0.0, f"strconv.ParseFloat: parsing {quoted}: invalid syntax"
    plain = text.replace("_", "")
    try:
        value = float.fromhex(plain) if "x" in plain.lower() else float(plain)
    except OverflowError:
        value = float("-inf") if text.startswith("-") else float("inf")
    if value in {float("inf"), float("-inf")} and "inf" not in text.lower():
        return value, f"strconv.ParseFloat: parsing {quoted}: value out of range"
    return value, ""


def check_adapter_names(adapters: Sequence[AdapterSpec]) -> FieldErrors:
    """Findings about names used twice, and about adapters without a source, on which Kaito panics."""
    errors = NONE
    for index, adapter in enumerate(adapters):
        if adapter.source is None:
            errors += missing(f"adapters[{index}].source")
    names = Counter(adapter.source.name or "" for adapter in adapters if adapter.source is not None)
    for name, times in names.items():
        if times > 1:
            errors += generic(f"Duplicate adapter source name found: {name}")
    return errors
