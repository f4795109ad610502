"""Reading YAML, with mistakes reported by file and line."""

from typing import Any

from kaito_runtime.errors import BadConfig


def parse_yaml(text: str, *, source: str) -> Any:
    """Return the document in `text`. Raises BadConfig as `source:line: not YAML: why`."""
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # At the end of the text the parser's mark is one line behind the last.
        line = f":{min(mark.line + 1, max(1, len(text.splitlines())))}" if mark else ""
        raise BadConfig(f"{source}{line}: not YAML: {getattr(error, 'problem', None) or error}") from error
