"""Reading YAML, with mistakes reported by file and line."""

import functools
from typing import Any

from kaito_runtime.errors import BadConfig


def parse_yaml(text: str, *, source: str) -> Any:
    """Return the document in `text`. Raises BadConfig as `source:line: not YAML: why`, also for a key given twice."""
    import yaml

    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506 - it is a safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # At the end of the text the parser's mark is one line behind the last.
        line = f":{min(mark.line + 1, max(1, len(text.splitlines())))}" if mark else ""
        raise BadConfig(f"{source}{line}: not YAML: {getattr(error, 'problem', None) or error}") from error


@functools.cache
def _loader() -> Any:
    """Return the safe loader (libyaml's where there is one) that refuses a key given twice; yaml takes the last."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        problem=f"the key {key.value} is there twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep=deep)

    return Loader
