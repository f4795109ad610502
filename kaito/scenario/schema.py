"""The scenario file: what to apply, what to wait for, what to ask, what to break.

Files are YAML with `apiVersion: testbed.kaito.sh/v1alpha1` and `kind: Scenario`. Paths are relative to the file.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from kaito.cluster.mirrors import MirrorMap
from kaito.kube.discovery import resource_named

API_VERSION = "testbed.kaito.sh/v1alpha1"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
_OBJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")
_CONDITION = re.compile(r"[A-Za-z0-9./_-]+(=(True|False|Unknown))?")
_LABEL = re.compile(r"[^=\s]+=[^=\s]*")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(value: Any) -> float:
    """Seconds from `90s`, `2m`, `1m30s`, `1h` or a plain number; ValueError otherwise."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
        return float(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if not match:
        raise ValueError(f"{value!r} is not a duration; write something like 90s, 2m or 1m30s")
    hours, minutes, seconds = match.groups()
    total = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)
    if total <= 0:
        raise ValueError("a duration must be longer than zero")
    return total


def _check_expression(expression: str) -> str:
    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        raise ValueError(f"{expression!r} is not a JMESPath expression: {str(error).splitlines()[0]}") from error
    return expression


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name; use up to 42 lower-case letters, digits and dashes")
    return name


def _check_object_name(name: str) -> str:
    if not _OBJECT_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no object's name")
    return name


def _check_condition(condition: str) -> str:
    if not _CONDITION.fullmatch(condition):
        raise ValueError(f"{condition!r} is no condition; write its type, or type=True, type=False or type=Unknown")
    return condition


Duration = Annotated[float, BeforeValidator(parse_duration)]
Name = Annotated[str, AfterValidator(_check_object_name)]
Expression = Annotated[str, AfterValidator(_check_expression)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ObjectReference(_Strict):
    """One object, written `kind/name` as kubectl takes it."""

    kind: str
    name: Name

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            kind, slash, name = value.partition("/")
            if not (kind and slash and name):
                raise ValueError(f"{value!r} does not name an object; write kind/name, such as workspace/my-model")
            return {"kind": kind.lower(), "name": name}
        return value

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        resource_named(kind)  # A kind that nobody knows is better found now than after a minute.
        return kind

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Wait(_Strict):
    """Wait for a condition, or for an object to be gone."""

    object: ObjectReference
    condition: Annotated[str, AfterValidator(_check_condition)] | None = None
    """A condition's type, to become True; `Type=Status` for another status."""
    absent: bool = False
    timeout: Duration = 60.0

    @model_validator(mode="after")
    def _one_of(self) -> Wait:
        if (self.condition is None) == (not self.absent):
            raise ValueError("say either `condition:` or `absent: true`")
        return self


class Ask(_Strict):
    """Ask a service the prompts of a facts file, over its OpenAI or `/chat` address."""

    service: Name
    facts: str
    """A YAML file: a list of `prompt` and `answer`."""
    model: str = ""
    """Empty: the service's own choice (the tuned model where there is an adapter); otherwise a served model's name."""
    expect: Literal["exact", "unknown"]
    """`exact`: every answer is the fact's. `unknown`: no answer is."""
    timeout: Duration = 30.0


class Assert(_Strict):
    """JMESPath expressions that must hold, about an object or about the run's evidence."""

    that: tuple[Expression, ...] = Field(min_length=1)
    object: ObjectReference | None = None
    """None: the expressions are about `run.json`'s evidence."""
    timeout: Duration = 10.0


class Fault(_Strict):
    """Something to break, or to mend."""

    registry: Literal["down", "up"] | None = None
    kill: str | None = None
    """`label=value`: the main container's process of each running pod it selects is killed (SIGKILL)."""
    after_event: str | None = None
    """Wait until a pod of the selection has logged this event (such as `step`) before killing it."""

    @model_validator(mode="after")
    def _one_of(self) -> Fault:
        if (self.registry is None) == (self.kill is None):
            raise ValueError("say either `registry: down`, `registry: up` or `kill: <label selector>`")
        if self.after_event is not None and self.kill is None:
            raise ValueError("after_event belongs to kill")
        if self.kill is not None and not _LABEL.fullmatch(self.kill):
            raise ValueError(f"{self.kill!r} selects no pods; write kill: label=value")
        return self


class Step(_Strict):
    """One step: a name and one operation."""

    name: str = ""
    apply: str | None = None
    """A manifest file."""
    delete: str | None = None
    """A manifest file whose objects are deleted."""
    wait: Wait | None = None
    ask: Ask | None = None
    assert_: Assert | None = Field(default=None, alias="assert")
    fault: Fault | None = None

    @property
    def operation(self) -> tuple[str, Any]:
        """The operation's name and value."""
        return next((name, value) for name, value in self._operations() if value is not None)

    def _operations(self) -> list[tuple[str, Any]]:
        return [
            ("apply", self.apply),
            ("delete", self.delete),
            ("wait", self.wait),
            ("ask", self.ask),
            ("assert", self.assert_),
            ("fault", self.fault),
        ]

    @property
    def title(self) -> str:
        """What to call the step in reports."""
        if self.name:
            return self.name
        operation, value = self.operation
        if operation == "wait":
            return f"wait for {value.object} {'to be gone' if value.absent else value.condition}"
        if operation == "ask":
            return f"ask {value.service}{f' as {value.model}' if value.model else ''}, expecting {value.expect}"
        if operation == "fault":
            return f"registry {value.registry}" if value.registry else f"kill {value.kill}"
        if operation == "assert":
            return f"check {value.object or 'the evidence'}"
        return f"{operation} {value}"

    @model_validator(mode="after")
    def _one_operation(self) -> Step:
        given = [name for name, value in self._operations() if value is not None]
        if len(given) != 1:
            found = f"found {' and '.join(given)}" if given else "found none"
            raise ValueError(f"a step has one of apply, delete, wait, ask, assert and fault; {found}")
        return self


class Metadata(_Strict):
    """The scenario's name, used for its namespace and its report."""

    name: Annotated[str, AfterValidator(_check_name)]


class Spec(_Strict):
    """What the scenario does."""

    description: str = ""
    timeout: Duration = 300.0
    """For the whole scenario."""
    mirrors: MirrorMap = Field(default_factory=MirrorMap)
    steps: tuple[Step, ...] = Field(min_length=1)


class Scenario(_Strict):
    """A scenario file's content."""

    apiVersion: Literal["testbed.kaito.sh/v1alpha1"]
    kind: Literal["Scenario"]
    metadata: Metadata
    spec: Spec


class Fact(_Strict):
    """A question and the answer that only the tuned model gives."""

    prompt: str = Field(min_length=1)
    answer: str = Field(min_length=1)
