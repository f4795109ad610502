"""Reading `training_config`: every mistake is refused with the file, the key's path and the nearest right name."""

import dataclasses
import difflib
import math
import os
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from kaito_runtime.errors import BadConfig
from kaito_runtime.tuning.checking import check
from kaito_runtime.tuning.sections import SECTIONS, known_keys
from kaito_runtime.tuning.training_config import Method, TrainingConfig
from kaito_runtime.yamlfiles import parse_yaml

_Section = TypeVar("_Section")


def load_document(path: Path) -> dict[str, Any]:
    """Read the YAML file at `path` and return what is under `training_config`."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadConfig(f"the training configuration {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadConfig(f"the training configuration {path} is not UTF-8 text") from error
    document = parse_yaml(text, source=str(path))
    if not isinstance(document, dict) or not isinstance(document.get("training_config"), dict):
        raise BadConfig(f"{path}: the key training_config with the six sections is missing")
    extra = [key for key in document if key != "training_config"]
    if extra:
        raise BadConfig(f"{path}: unknown key {extra[0]!r} beside training_config")
    return dict(document["training_config"])


def parse_config(
    document: Mapping[str, Any], *, source: str, method: Method | None = None, overrides: Sequence[str] = ()
) -> TrainingConfig:
    """Return the configuration that `document` (section to key to value) and `overrides` describe.

    overrides: `Section.key=value` with a YAML value; they win. method: what was asked for on the command line; `qlora`
    without any quantisation in the document means 4-bit NF4. Raises BadConfig; `source` names the document in it.
    """
    merged: dict[str, dict[str, Any]] = {}
    for name, values in document.items():
        if name not in SECTIONS:
            raise BadConfig(f"{source}: unknown section {name!r}{_nearest(str(name), SECTIONS)}")
        if values is not None and not isinstance(values, dict):
            raise BadConfig(f"{source}: {name} must be a mapping of keys to values")
        merged[name] = dict(values or {})
    overridden: set[str] = set()
    for override in overrides:
        name, key, value = _split_override(override)
        merged.setdefault(name, {})[key] = value
        overridden.add(f"{name}.{key}")
    if method == "qlora" and not _asks_for_bits(merged):
        merged.setdefault("QuantizationConfig", {})["load_in_4bit"] = True
        for key, value in (("bnb_4bit_quant_type", "nf4"), ("bnb_4bit_use_double_quant", True)):
            merged["QuantizationConfig"].setdefault(key, value)
    parts = {
        name: _read_section(kind, name, merged.get(name, {}), source, overridden) for name, kind in SECTIONS.items()
    }
    ignored = [
        f"{name}.{key}"
        for name, values in merged.items()
        for key in values
        if key in known_keys().accepted[name] | known_keys().unsupported[name]
    ]
    config = TrainingConfig(
        model=parts["ModelConfig"],
        quantization=parts["QuantizationConfig"],
        lora=parts["LoraConfig"],
        training=parts["TrainingArguments"],
        collator=parts["DataCollator"],
        dataset=parts["DatasetConfig"],
        given={name: frozenset(values) for name, values in merged.items()},
        ignored=tuple(ignored),
    )
    check(config, source=source, method=method)
    return config


def _asks_for_bits(merged: Mapping[str, Mapping[str, Any]]) -> bool:
    quantization = merged.get("QuantizationConfig", {})
    return bool(quantization.get("load_in_4bit") or quantization.get("load_in_8bit"))


def _split_override(override: str) -> tuple[str, str, Any]:
    path, separator, text = override.partition("=")
    name, dot, key = path.strip().partition(".")
    if not separator or not dot or name not in SECTIONS:
        raise BadConfig(f"--set {override!r}: write Section.key=value, with one of {', '.join(SECTIONS)}")
    return name, key, parse_yaml(text, source=f"--set {path}")


def _nearest(name: str, known: typing.Iterable[str]) -> str:
    choices = list(known)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(choices)}" if len(choices) <= 12 else ""


def _read_section(
    kind: type[_Section], name: str, values: Mapping[str, Any], source: str, overridden: Collection[str]
) -> Any:
    fields = {item.name: item for item in dataclasses.fields(kind) if item.name != "further"}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    further_fields = known_keys().peft if name == "LoraConfig" else frozenset()
    accepted, unsupported = known_keys().accepted[name], known_keys().unsupported[name]
    known = [*fields, *sorted(further_fields | accepted | unsupported)]
    taken: dict[str, Any] = {}
    further: dict[str, Any] = {}
    for key, value in values.items():
        origin = "--set" if f"{name}.{key}" in overridden else source
        where = f"{origin}: {name}.{key}"
        if key in fields:
            if value is not None or _allows_none(hints[key]):
                taken[key] = _coerce(value, hints[key], where)
        elif key in further_fields:
            further[key] = value
        elif key in unsupported:
            if value not in (None, False, "", 0, 0.0, [], {}):
                raise BadConfig(f"{where} is not supported here; leave it out")
        elif key not in accepted:
            raise BadConfig(f"{origin}: unknown key {name}.{key}{_nearest(str(key), known)}")
    if further:
        taken["further"] = further
    return kind(**taken)


def _allows_none(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _coerce(value: Any, hint: Any, where: str) -> Any:
    """Return `value` as one of the types in `hint`; YAML's text for numbers and booleans is understood."""
    choices = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for choice in choices:
        plain = typing.get_origin(choice) or choice
        if plain is type(None) and value is None:
            return None
        if plain is bool and isinstance(value, bool):
            return value
        if isinstance(value, bool):
            continue
        if plain is float and isinstance(value, int | float):
            return _finite(value, where)
        if plain in (int, list, dict) and isinstance(value, plain):
            return value
        if plain is int and isinstance(value, float) and value.is_integer():
            return int(value)
    if isinstance(value, str):
        return _coerce_text(value, choices, where)
    if str in choices and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise BadConfig(f"{where}: {value!r} is not {_describe(choices)}")


def _coerce_text(value: str, choices: Sequence[Any], where: str) -> Any:
    lowered = value.strip().lower()
    if bool in choices and lowered in ("true", "yes", "on", "false", "no", "off"):
        return lowered in ("true", "yes", "on")
    for number in (int, float):
        if number in choices:
            try:
                return int(value) if number is int else _finite(value, where)
            except ValueError:
                continue
    if str in choices:
        return value
    if type(None) in choices and lowered in ("none", "null", ""):
        return None
    raise BadConfig(f"{where}: {value!r} is not {_describe(choices)}")


def _finite(value: str | float, where: str) -> float:
    """Return `value` as a number. Raises ValueError where it is none, BadConfig for infinity and NaN."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadConfig(f"{where}: {value} is not a finite number")
    return number


def _describe(choices: Sequence[Any]) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", dict: "a mapping"}
    words = []
    for choice in choices:
        plain = typing.get_origin(choice) or choice
        if plain is not type(None):
            words.append(names.get(plain, "a list"))
    return " or ".join(words)


def target_modules_from_environment(environment: Mapping[str, str] = os.environ) -> str | list[str] | None:
    """Return the modules that the operator names for presets whose architecture peft would get wrong."""
    if environment.get("DEFAULT_TARGET_MODULES", "").strip() == "all-linear":
        return "all-linear"
    names = [name.strip() for name in environment.get("DEFAULT_TARGET_MODULES", "").split(",")]
    return [name for name in names if name] or None
