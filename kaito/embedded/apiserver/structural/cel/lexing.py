"""Tokens of an expression."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from kaito.embedded.apiserver.structural.cel.errors import Issue
from kaito.embedded.apiserver.structural.cel.values import UInt

_TOKEN: Final = re.compile(
    r"""(?P<space>[\t\f\n\r ]+|//[^\n]*)
    |(?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''))
    |(?P<raw>(?:[rR][bB]?|[bB][rR])(?:"[^"\n\r]*"|'[^'\n\r]*'))
    |(?P<plain>[bB]?(?:"(?:\\.|[^"\\\n\r])*"|'(?:\\.|[^'\\\n\r])*'))
    |(?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
    |(?P<uint>(?:0x[0-9a-fA-F]+|[0-9]+)[uU])
    |(?P<int>0x[0-9a-fA-F]+|[0-9]+)
    |(?P<ident>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<quoted>`[A-Za-z0-9_.\-/ ]+`)
    |(?P<op>==|!=|<=|>=|&&|\|\||[-<>\[\]{}().,!?:+*/%])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "?": "?", '"': '"',
    "'": "'", "`": "`",
}  # fmt: skip
_ESCAPE: Final = re.compile(
    r"\\(x[0-9a-fA-F]{2}|X[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.S
)


class Token(NamedTuple):
    """`kind` is one of int, uint, float, string, bytes, ident, quoted, op and end."""

    kind: str
    text: str
    at: int
    value: Any = None


def tokens(source: str) -> tuple[list[Token], list[Issue]]:
    """The tokens, ending with one of kind `end`, and what could not be read."""
    found: list[Token] = []
    issues: list[Issue] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            end = _unreadable(source, at)
            issues.append(Issue(at, f"Syntax error: token recognition error at: '{source[at:end]}'"))
            at = end
            continue
        kind, text = str(match.lastgroup), match[0]
        if kind in ("string", "raw", "plain"):
            found.append(_literal(text, at, issues))
        elif kind != "space":
            if kind == "quoted":
                issues.append(Issue(at, "unsupported syntax: '`'"))
            found.append(Token(kind, text, at, _number(kind, text, at, issues)))
        at = match.end()
    found.append(Token("end", "<EOF>", len(source)))
    return found, issues


def _unreadable(source: str, at: int) -> int:
    if source[at] in "\"'":
        end = source.find("\n", at)
        return len(source) if end < 0 else end
    if source[at] in "=&|" and at + 1 < len(source):
        return at + 2
    return at + 1


def _number(kind: str, text: str, at: int, issues: list[Issue]) -> Any:
    if kind == "float":
        return float(text)
    if kind == "uint":
        number = int(text[:-1], 16 if text.startswith("0x") else 10)
        if number >= 2**64:
            issues.append(Issue(at, "invalid uint literal"))
        return UInt(number)
    if kind == "int":
        number = int(text, 16 if text.startswith("0x") else 10)
        if number > 2**63:
            issues.append(Issue(at, "invalid int literal"))
        return number
    return None


def _literal(text: str, at: int, issues: list[Issue]) -> Token:
    quote = min(index for index in (text.find('"'), text.find("'")) if index >= 0)
    prefix, body = text[:quote].lower(), text[quote:]
    wide = 3 if body[:3] in ('"""', "'''") and len(body) >= 6 else 1
    inner = body[wide:-wide]
    as_bytes = "b" in prefix
    if "r" in prefix:
        return Token("bytes" if as_bytes else "string", text, at, inner.encode() if as_bytes else inner)
    try:
        value = _unescaped(inner, as_bytes=as_bytes)
    except ValueError:
        issues.append(Issue(at, "Syntax error: token recognition error at: " + f"'{text}'"))
        value = b"" if as_bytes else ""
    return Token("bytes" if as_bytes else "string", text, at, value)


def _unescaped(text: str, *, as_bytes: bool) -> str | bytes:
    out: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(text):
        out.append(text[at : match.start()].encode())
        out.append(_escaped(match[1], as_bytes=as_bytes))
        at = match.end()
    out.append(text[at:].encode())
    whole = b"".join(out)
    return whole if as_bytes else whole.decode()


def _escaped(code: str, *, as_bytes: bool) -> bytes:
    if code[0] in "xX" and len(code) == 3:
        number = int(code[1:], 16)
        return bytes([number]) if as_bytes else chr(number).encode()
    if code[0] in "uU" and len(code) > 1 and not as_bytes:
        return chr(int(code[1:], 16)).encode()
    if code[0] in "0123" and len(code) == 3:
        number = int(code, 8)
        return bytes([number]) if as_bytes else chr(number).encode()
    return _ESCAPES[code].encode() if code in _ESCAPES else _fail(code)


def _fail(code: str) -> bytes:
    raise ValueError(code)
