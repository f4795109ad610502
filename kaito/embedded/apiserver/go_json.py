"""What Go's encoding/json says of a text that is no JSON: clients see these words in a 400."""

from __future__ import annotations

_LITERALS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_ESCAPES = b'bfnrt\\/"'
_SPACE = b" \t\r\n"
_DIGITS = b"0123456789"
_HEX = b"0123456789abcdefABCDEF"
END = "unexpected end of JSON input"


class _Bad(Exception):
    pass


def quote(byte: int) -> str:
    """A byte as Go's scanner prints it: UTF-8 is read byte by byte, so each is a Latin-1 character."""
    if byte == ord("'"):
        return r"'\''"
    if byte == ord('"'):
        return "'\"'"
    escapes = {7: r"\a", 8: r"\b", 9: r"\t", 10: r"\n", 11: r"\v", 12: r"\f", 13: r"\r", 92: r"\\"}
    if byte in escapes:
        return f"'{escapes[byte]}'"
    if byte < 32 or byte == 127:
        return f"'\\x{byte:02x}'"
    if 128 <= byte < 161 or byte == 173:
        return f"'\\u{byte:04x}'"
    return f"'{chr(byte)}'"


def syntax_error(text: bytes) -> str | None:
    """Go's message for the first syntax error, None where there is none. Nested deeper than 10,000 is an error too."""
    try:
        _Scanner(text).document()
    except _Bad as problem:
        return str(problem)
    except RecursionError:
        return "exceeded max depth"
    return None


class _Scanner:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0

    def document(self) -> None:
        self._value("looking for beginning of value")
        self._skip()
        if self._at < len(self._text):
            self._fail("after top-level value")

    def _fail(self, where: str) -> None:
        if self._at >= len(self._text):
            raise _Bad(END)
        raise _Bad(f"invalid character {quote(self._text[self._at])} {where}")

    def _skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in _SPACE:
            self._at += 1

    def _peek(self) -> int:
        return self._text[self._at] if self._at < len(self._text) else -1

    def _value(self, where: str) -> None:
        self._skip()
        char = self._peek()
        if char == ord("{"):
            self._object()
        elif char == ord("["):
            self._array()
        elif char == ord('"'):
            self._string()
        elif char in _LITERALS:
            self._literal(_LITERALS[char])
        elif char == ord("-") or (char >= 0 and char in _DIGITS):
            self._number()
        else:
            self._fail(where)

    def _object(self) -> None:
        self._at += 1
        self._skip()
        if self._peek() == ord("}"):
            self._at += 1
            return
        while True:
            self._skip()
            if self._peek() != ord('"'):
                self._fail("looking for beginning of object key string")
            self._string()
            self._skip()
            if self._peek() != ord(":"):
                self._fail("after object key")
            self._at += 1
            self._value("looking for beginning of value")
            self._skip()
            if self._peek() == ord("}"):
                self._at += 1
                return
            if self._peek() != ord(","):
                self._fail("after object key:value pair")
            self._at += 1

    def _array(self) -> None:
        self._at += 1
        self._skip()
        if self._peek() == ord("]"):
            self._at += 1
            return
        while True:
            self._value("looking for beginning of value")
            self._skip()
            if self._peek() == ord("]"):
                self._at += 1
                return
            if self._peek() != ord(","):
                self._fail("after array element")
            self._at += 1

    def _string(self) -> None:
        self._at += 1
        while True:
            char = self._peek()
            if char < 32:
                self._fail("in string literal")
            self._at += 1
            if char == ord('"'):
                return
            if char == ord("\\"):
                self._escape()

    def _escape(self) -> None:
        char = self._peek()
        if char == ord("u"):
            self._at += 1
            for _ in range(4):
                if self._peek() < 0 or self._peek() not in _HEX:
                    self._fail("in \\u hexadecimal character escape")
                self._at += 1
        elif char >= 0 and char in _ESCAPES:
            self._at += 1
        else:
            self._fail("in string escape code")

    def _literal(self, word: bytes) -> None:
        for index in range(1, len(word)):
            self._at += 1
            if self._peek() != word[index]:
                self._fail(f"in literal {word.decode()} (expecting {quote(word[index])})")
        self._at += 1

    def _number(self) -> None:
        if self._peek() == ord("-"):
            self._at += 1
            if self._peek() < 0 or self._peek() not in _DIGITS:
                self._fail("in numeric literal")
        if self._peek() == ord("0"):
            self._at += 1
        else:
            self._digits()
        if self._peek() == ord("."):
            self._at += 1
            if self._peek() < 0 or self._peek() not in _DIGITS:
                self._fail("after decimal point in numeric literal")
            self._digits()
        if self._peek() in (ord("e"), ord("E")):
            self._at += 1
            if self._peek() in (ord("+"), ord("-")):
                self._at += 1
            if self._peek() < 0 or self._peek() not in _DIGITS:
                self._fail("in exponent of numeric literal")
            self._digits()

    def _digits(self) -> None:
        while self._peek() >= 0 and self._peek() in _DIGITS:
            self._at += 1
