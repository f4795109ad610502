"""The operator and the runtime mean the same by an exit code."""

from __future__ import annotations

from kaito.api import exitcodes as operator
from kaito.api.labels import WORKSPACE_NAME, selector_labels


def test_the_runtime_has_the_same_numbers() -> None:
    from kaito_runtime import exitcodes as runtime

    ours, theirs = (
        {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, int)}
        for module in (operator, runtime)
    )
    assert ours == theirs
    assert set(operator.PERMANENT) == set(runtime.PERMANENT)


def test_an_exit_code_is_permanent_or_retryable_never_both() -> None:
    assert not set(operator.PERMANENT) & set(operator.RETRYABLE)
    assert operator.OK not in {*operator.PERMANENT, *operator.RETRYABLE}


def test_reserved_keys_select_nothing() -> None:
    assert selector_labels({"app": "x", WORKSPACE_NAME: "w"}) == {"app": "x"}
    assert selector_labels(None) == {}
