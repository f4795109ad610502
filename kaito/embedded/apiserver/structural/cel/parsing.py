"""The grammar of CEL (cel-spec's, with cel-go's optional syntax), and the errors of its ANTLR parser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final, NoReturn

from kaito.embedded.apiserver.structural.cel import lexing, macros
from kaito.embedded.apiserver.structural.cel.errors import TOO_DEEP, CompileError, Issue
from kaito.embedded.apiserver.structural.cel.lexing import Token
from kaito.embedded.apiserver.structural.cel.nodes import (
    Call,
    Ident,
    ListExpr,
    Literal,
    MapExpr,
    Node,
    Select,
    StructExpr,
    qualified_name,
)

_OPERAND: Final = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_RESERVED: Final = frozenset(
    (
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package"),
        *("namespace", "return", "var", "void", "while"),
    )
)
_RELATIONS: Final = ("<", "<=", ">", ">=", "==", "!=")
_MAX_DEPTH: Final = 40


class _SyntaxStop(Exception):
    """The parser gives up after its first error: what ANTLR would say after recovering is not imitated."""


def parse(source: str) -> Node:
    """The tree of an expression, macros expanded. Raises CompileError."""
    found, issues = lexing.tokens(source)
    parser = _Parser(found, issues)
    tree: Node | None = None
    with contextlib.suppress(_SyntaxStop):
        tree = parser.whole()
    if issues or tree is None:
        raise CompileError(source, issues)
    return tree


class _Parser:
    def __init__(self, found: list[Token], issues: list[Issue]) -> None:
        self._tokens = found
        self._issues = issues
        self._next = 0
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _is(self, *texts: str) -> bool:
        token = self._token
        return (token.kind == "op" or (token.kind == "ident" and token.text == "in")) and token.text in texts

    def _take(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._next += 1
        return token

    def _stop(self, message: str, token: Token | None = None) -> NoReturn:
        self._issues.append(Issue((token or self._token).at, f"Syntax error: {message}"))
        raise _SyntaxStop

    def _expect(self, text: str, expecting: str = "") -> Token:
        if self._is(text):
            return self._take()
        token = self._token
        if expecting:
            word = "mismatched" if token.kind == "end" else "extraneous"
            return self._stop(f"{word} input '{token.text}' expecting {expecting}")
        if token.kind == "end":
            return self._stop(f"missing '{text}' at '{token.text}'")
        return self._stop(f"extraneous input '{token.text}' expecting '{text}'")

    def whole(self) -> Node:
        tree = self._expression()
        if self._token.kind != "end":
            token = self._token
            following = self._tokens[self._next + 1]
            word = "extraneous" if following.kind == "end" else "mismatched"
            self._stop(f"{word} input '{token.text}' expecting <EOF>")
        return tree

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._issues.append(Issue(self._token.at, TOO_DEEP))
            raise _SyntaxStop
        condition = self._balanced("||", "_||_", self._and)
        if self._is("?"):
            at = self._take().at
            yes = self._balanced("||", "_||_", self._and)
            self._expect(":")
            condition = Call(at, "_?_:_", [condition, yes, self._expression()])
        self._depth -= 1
        return condition

    def _and(self) -> Node:
        return self._balanced("&&", "_&&_", self._relation)

    def _balanced(self, operator: str, function: str, operand: Callable[[], Node]) -> Node:
        """Chains of one logical operator become a balanced tree, as cel-go makes them."""
        terms: list[Node] = [operand()]
        places: list[int] = []
        while self._is(operator):
            places.append(self._take().at)
            terms.append(operand())
        return _balance(function, terms, places)

    def _relation(self) -> Node:
        left = self._sum()
        while self._is(*_RELATIONS, "in"):
            token = self._take()
            function = "@in" if token.text == "in" else f"_{token.text}_"
            left = Call(token.at, function, [left, self._sum()])
        return left

    def _sum(self) -> Node:
        left = self._product()
        while self._is("+", "-"):
            token = self._take()
            left = Call(token.at, f"_{token.text}_", [left, self._product()])
        return left

    def _product(self) -> Node:
        left = self._unary()
        while self._is("*", "/", "%"):
            token = self._take()
            left = Call(token.at, f"_{token.text}_", [left, self._unary()])
        return left

    def _unary(self) -> Node:
        if not self._is("!", "-"):
            return self._member()
        first = self._token
        count = 0
        while self._is(first.text):
            self._take()
            count += 1
        if first.text == "-" and self._token.kind in ("int", "float") and count % 2 == 1:
            following = self._tokens[self._next]
            self._tokens[self._next] = following._replace(value=-following.value, at=first.at)
            return self._member()
        operand = self._member()
        if count % 2 == 0:
            return operand
        return Call(first.at, "!_" if first.text == "!" else "-_", [operand])

    def _member(self) -> Node:
        node = self._primary()
        while True:
            if self._is("."):
                node = self._selection(node)
            elif self._is("{") and (name := qualified_name(node)) is not None:
                node = self._struct(name)
            elif self._is("["):
                at = self._take().at
                optional = self._is("?")
                if optional:
                    self._take()
                index = self._expression()
                self._expect("]")
                node = Call(at, "_[?_]" if optional else "_[_]", [node, index])
            else:
                return node

    def _selection(self, node: Node) -> Node:
        dot = self._take()
        optional = self._is("?")
        if optional:
            self._take()
        token = self._token
        if token.kind not in ("ident", "quoted") or token.text in (*_CONSTANTS, "in"):
            text = "." + ("" if token.kind == "end" else token.text)
            self._stop(f"no viable alternative at input '{text}'", token)
        self._take()
        name = token.text.strip("`")
        if self._is("("):
            if token.kind == "quoted":
                self._stop("extraneous input '(' expecting <EOF>")
            at = self._take().at
            return self._expanded(Call(at, name, self._arguments(), node))
        if optional:
            return Call(dot.at, "_?._", [node, Literal(token.at, name)])
        return Select(dot.at, node, name)

    def _arguments(self) -> list[Node]:
        args: list[Node] = []
        if self._is(")"):
            self._take()
            return args
        while True:
            args.append(self._expression())
            if self._is(","):
                self._take()
                continue
            self._expect(")", "{')', ','}")
            return args

    def _expanded(self, call: Call) -> Node:
        try:
            return macros.expand(call) or call
        except macros.MacroError as problem:
            self._issues.append(problem.issue)
            return call

    def _primary(self) -> Node:
        token = self._token
        if token.kind in ("int", "uint", "float", "string", "bytes"):
            self._take()
            if token.kind == "int" and not -(2**63) <= token.value < 2**63:
                self._issues.append(Issue(token.at, "invalid int literal"))
            return Literal(token.at, token.value)
        if token.kind == "ident" and token.text in _CONSTANTS:
            self._take()
            return Literal(token.at, _CONSTANTS[token.text])
        if token.kind == "ident" and token.text != "in":
            return self._named("")
        if self._is("."):
            self._take()
            if self._token.kind != "ident":
                self._stop(f"mismatched input '{self._token.text}' expecting IDENTIFIER")
            return self._named(".")
        if self._is("("):
            self._take()
            node = self._expression()
            self._expect(")")
            return node
        if self._is("["):
            return self._list()
        if self._is("{"):
            return self._map()
        word = "extraneous" if token.kind != "end" and self._starts(self._next + 1) else "mismatched"
        return self._stop(f"{word} input '{token.text}' expecting {_OPERAND}")

    def _starts(self, index: int) -> bool:
        token = self._tokens[min(index, len(self._tokens) - 1)]
        return token.kind not in ("op", "end")

    def _named(self, prefix: str) -> Node:
        token = self._take()
        name = prefix + token.text
        if token.text in _RESERVED:
            self._issues.append(Issue(token.at, f"reserved identifier: {token.text}"))
        if self._is("("):
            at = self._take().at
            return self._expanded(Call(at, name, self._arguments()))
        if self._is("{"):
            return self._struct(name)
        return Ident(token.at, name)

    def _struct(self, name: str) -> Node:
        at = self._take().at
        entries: list[tuple[str, Node]] = []
        while not self._is("}"):
            field = self._take()
            self._expect(":")
            entries.append((field.text, self._expression()))
            if not self._is(","):
                break
            self._take()
        self._expect("}", "{'}', ','}")
        return StructExpr(at, name, entries)

    def _list(self) -> Node:
        at = self._take().at
        elements: list[Node] = []
        optional: set[int] = set()
        while not self._is("]"):
            if self._is("?"):
                self._take()
                optional.add(len(elements))
            elements.append(self._expression())
            if not self._is(","):
                break
            self._take()
        self._expect("]", "{']', ','}")
        return ListExpr(at, elements, frozenset(optional))

    def _map(self) -> Node:
        at = self._take().at
        entries: list[tuple[Node, Node, bool]] = []
        while not self._is("}"):
            optional = self._is("?")
            if optional:
                self._take()
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression(), optional))
            if not self._is(","):
                break
            self._take()
        self._expect("}", "{'}', ','}")
        return MapExpr(at, entries)


def _balance(function: str, terms: list[Node], places: list[int]) -> Node:
    if len(terms) == 1:
        return terms[0]
    middle = len(places) // 2
    left = _balance(function, terms[: middle + 1], places[:middle])
    right = _balance(function, terms[middle + 1 :], places[middle + 1 :])
    return Call(places[middle], function, [left, right])
