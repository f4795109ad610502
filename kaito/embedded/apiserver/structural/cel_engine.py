"""The CEL engine: the library's compiled part alone.

Importing its package would also import its command line with a whole terminal toolkit: a third of a second of every
start of a cluster.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import PathFinder
from typing import Any

_NAME = "cel.cel"


def load() -> Any:
    """The engine's module. Raises ModuleNotFoundError where the library is not installed."""
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    package = importlib.util.find_spec("cel")
    if package is None:
        raise ModuleNotFoundError("No module named 'cel': install common-expression-language", name="cel")
    spec = PathFinder.find_spec(_NAME, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        return importlib.import_module("cel")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # A second initialisation is refused; whoever imports the package later finds this one.
    sys.modules[_NAME] = module
    return module
