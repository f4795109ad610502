"""Importing transformers' models without torch's compiler, which nothing here uses and which takes seconds to import.

transformers decorates a few functions (fp8 kernels, flex attention) with torch._dynamo's marks and takes one class for
its masks from there. Both matter to `torch.compile` only, but naming them imports the whole of torch._dynamo, with
inductor and sympy behind it: 2.3 of the 7 CPU seconds that a server used to take until it was ready.
"""

import contextlib
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

_COMPILER: Final = "torch._dynamo"
_INDEXING: Final = "torch._dynamo._trace_wrapped_higher_order_op"


@contextlib.contextmanager
def compiler_put_off() -> Iterator[None]:
    """Within the block torch._dynamo is only what decorators need of it; afterwards the real one is imported on use.

    Anything else asked of it within the block raises AttributeError or ImportError. Without effect where it is
    imported already. The process must not import it in another thread meanwhile.
    """
    import torch

    if _COMPILER in sys.modules:
        yield
        return
    marks: Any = types.ModuleType(_COMPILER, "Marks of functions for a compiler that is not there yet.")
    marks.disable = _disable
    marks.allow_in_graph = lambda function: function
    marks.assume_constant_result = _assume_constant_result
    indexing: Any = types.ModuleType(_INDEXING)
    indexing.TransformGetItemToIndex = _indexing_mode
    sys.modules.update({_COMPILER: marks, _INDEXING: indexing})
    torch._dynamo = marks
    try:
        yield
    finally:
        del torch._dynamo, sys.modules[_COMPILER], sys.modules[_INDEXING]


def _disable(function: Any = None, recursive: bool = True, **_: Any) -> Any:
    """What torch._dynamo.disable is to code that is not compiled, in both its forms."""
    return function if function is not None else lambda decorated: decorated


def _assume_constant_result(function: Callable[..., Any]) -> Callable[..., Any]:
    """The attribute is all that the original sets as well."""
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


def _indexing_mode() -> Any:
    """Return a TransformGetItemToIndex, a context manager, importing it when it is first needed (masks by vmap)."""
    from torch._dynamo._trace_wrapped_higher_order_op import TransformGetItemToIndex

    return TransformGetItemToIndex()
