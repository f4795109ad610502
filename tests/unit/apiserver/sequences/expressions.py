"""Random CEL expressions over one schema, made from templates by result type; some are wrong."""

from __future__ import annotations

import random
import re
from typing import Any

SUBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "s": {"type": "string", "maxLength": 30},
        "t": {"type": "string", "maxLength": 30},
        "i": {"type": "integer"},
        "j": {"type": "integer"},
        "d": {"type": "number"},
        "b": {"type": "boolean"},
        "e": {"type": "string", "enum": ["a", "bbb"]},
        "n-o": {"type": "string", "nullable": True, "maxLength": 9},
        "list": {"type": "array", "maxItems": 4, "items": {"type": "string", "maxLength": 9}},
        "ints": {"type": "array", "maxItems": 4, "items": {"type": "integer"}},
        "set": {
            "type": "array",
            "maxItems": 4,
            "x-kubernetes-list-type": "set",
            "items": {"type": "string", "maxLength": 9},
        },
        "map": {"type": "object", "maxProperties": 4, "additionalProperties": {"type": "string", "maxLength": 9}},
        "items": {
            "type": "array",
            "maxItems": 4,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string", "maxLength": 9}, "v": {"type": "integer"}},
            },
        },
        "time": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "span": {"type": "string", "format": "duration"},
        "bytes": {"type": "string", "format": "byte", "maxLength": 12},
        "port": {"x-kubernetes-int-or-string": True},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "free": {"type": "string"},
        "frees": {"type": "array", "items": {"type": "string"}},
    },
}
TEXTS = (
    *("'a'", "'ab'", "''", "'a,b,c'", "'é'", "'10Gi'", "'1.2.3'", "'10.0.0.1'", "'10.0.0.0/8'", "'fe80::1'", "'bbb'"),
    *("'http://u@h.dev:80/p%20q?x=1&x=2'", "'v1.2.3-rc.1'", "'1h'", "'2024-02-03T04:05:06.5Z'", "'5'", "'true'", "'-'"),
)
_TEXTS = {
    "bool": """
true|false|{self}.b|{int} < {int}|{int} >= {double}|{string} == {string}|{int} != {int}|{string} < {string}
{bool} && {bool}|!({bool})|({bool} ? {bool} : {bool})|has({self}.s)|has({self}.list)|has({self}.items)
has({self}.map.k)|{string} in {strings}|{int} in {ints}|{string} in {self}.map|{string}.startsWith({string})
{string}.endsWith({string})|{string}.contains({string})|{string}.matches('^a+')|{string}.matches({string})
{strings}.all(x, x {==} {string})|{strings}.exists(x, x.size() > {int})|{strings}.exists_one(x, x == {string})
{ints}.all(x, x > {int})|{self}.items.exists(x, x.name == {string})
{self}.items.all(x, has(x.v) && x.v > {int})|{self}.map.all(k, {self}.map[k] == {string})
{self}.map.exists(k, v, k == v)|{strings}.all(i, v, i < {int})|{strings}.isSorted()|{ints}.isSorted()
sets.contains({strings}, {strings})|sets.intersects({ints}, {ints})|sets.equivalent({strings}, {strings})
isURL({string})|isIP({string})|isCIDR({string})|isQuantity({string})|isSemver({string})
ip.isCanonical({string})|{optional}.hasValue()|{quantity}.isGreaterThan({quantity})|{quantity}.isInteger()
{cidr}.containsIP({string})|{cidr}.containsCIDR({cidr})|{ip}.isLoopback()|{ip}.isGlobalUnicast()
{semver}.isLessThan({semver})|{time} > {time}|{span} <= {span}|type({self}.port) == int|{self}.port == {int}
{self}.port == {string}|{strings} == {strings}|{ints} == {ints}|{self}.items == {self}.items
{bytes} == {bytes}|format.dns1123Label().validate({string}).hasValue()|oldSelf.i <= {self}.i
oldSelf.s == {self}.s|{self} == oldSelf|bool({string})|{double} > {double}|{uint} == {uint}
{self}.open == {self}.open|{self}.set == {self}.set + {strings}|{quantity} == {quantity}|{url} == {url}
{self}.set == {strings}|isSemver({string}, true)|{self}.n__dash__o == {string}
{self}.?n__dash__o.orValue('z') == {string}|has({self}.n__dash__o)|format.named({string}).hasValue()
{time} == {time}
""",
    "int": """
0|1|2|-3|10|{self}.i|{self}.j|{string}.size()|size({strings})|{ints}.size()|{int} + {int}|{int} - {int}
{int} * {int}|{int} / {int}|{int} % {int}|-({int})|{ints}[{int}]|{string}.indexOf({string})
{string}.lastIndexOf({string})|{strings}.indexOf({string})|{ints}.sum()|{ints}.max()|{ints}.min()
int({string})|int({double})|{self}.items[0].v|{time}.getFullYear()|{time}.getHours('Europe/Berlin')
{time}.getDayOfWeek()|{span}.getMinutes()|{span}.getSeconds()|{time}.getMilliseconds()
{quantity}.compareTo({quantity})|sign({quantity})|{quantity}.asInteger()|{ip}.family()|{cidr}.prefixLength()
{semver}.major()|{semver}.patch()|({bool} ? {int} : {int})|{self}.map.size()
{optional}.optMap(x, 1).orValue(0)|{string}.indexOf({string}, {int})|{ints}.map(x, x * 2).sum()
{ints}.filter(x, x > 1).size()|int({uint})|9223372036854775807|{time}.getDayOfYear()|{time}.getMonth('-02:30')
{semver}.compareTo({semver})|{bytes}.size()|int({time})|{self}.items.size()
""",
    "string": """
{self}.s|{self}.t|{self}.e|{lit}|{lit}|{string} + {string}|{strings}[{int}]|{strings}.join()
{strings}.join({string})|{string}.lowerAscii()|{string}.upperAscii()|{string}.trim()
{string}.replace({string}, {string})|{string}.substring({int})|{string}.substring({int}, {int})
{string}.charAt({int})|string({int})|string({double})|string({bool})|string({span})|string({time})
string({ip})|string({cidr})|string({bytes})|{string}.find('[a-z]+')|{self}.map[{string}]|{self}.map.k
{optional}.orValue({string})|{optional}.value()|{url}.getHost()|{url}.getScheme()|{url}.getEscapedPath()
{url}.getPort()|{url}.getHostname()|'%s'.format([{string}])|'%d-%s'.format([{int}, {strings}])
'%.2f %e'.format([{double}, {double}])|'%x %b'.format([{int}, {int}])|strings.quote({string})
({bool} ? {string} : {string})|{self}.items[{int}].name|{strings}.max()|string({uint})
{string}.replace({string}, {string}, {int})|{strings}.first().orValue({string})|'%s'.format([{ints}])
'%s %s'.format([{time}, {span}])|'%s'.format([{self}.map])|{self}.port
""",
    "double": """
{self}.d|1.5|0.0|-2.25|1e10|{double} + {double}|{double} * {double}|{double} / {double}|double({int})
double({string})|{quantity}.asApproximateFloat()|{double} - {double}
""",
    "uint": """
1u|{uint} + {uint}|uint({int})|uint({string})
""",
    "strings": """
{self}.list|{self}.list|['a', {string}]|[]|{string}.split(',')|{string}.split({string}, {int})
{strings} + {strings}|{strings}.map(x, x + 'z')|{strings}.filter(x, x != {string})|{self}.items.map(x, x.name)
{string}.findAll('[a-z]')|{self}.set|{self}.map.map(k, k)|{self}.map.transformList(k, v, v)
{strings}.transformList(i, v, i > 0, v)|{url}.getQuery()['x']|[?{self}.?s, 'q']|{string}.findAll('.', {int})
{self}.items.map(x, has(x.v), x.name)|{self}.frees
""",
    "ints": """
{self}.ints|[1, 2]|[{int}, {int}]|{ints} + {ints}|{ints}.map(x, x + 1)|{ints}.filter(x, x > {int})
{strings}.map(x, x.size())|{strings}.transformList(i, v, i)|{self}.items.map(x, x.?v.orValue(0))
""",
    "optional": """
{self}.?s|optional.of({string})|optional.none()|{self}.map[?{string}]|{strings}[?{int}]|{self}.?map.k
{optional}.or({optional})|{optional}.optMap(x, x + 'o')|optional.ofNonZeroValue({string})
{self}.?items[0].name|{self}.list.last()|{optional}.optFlatMap(x, optional.of(x))
""",
    "quantity": """
quantity({string})|quantity('1Gi')|quantity('100m')|{quantity}.add({quantity})|{quantity}.sub({int})
quantity('1.5')
""",
    "ip": """
ip({string})|ip('10.1.2.3')|ip('::1')|{cidr}.ip()
""",
    "cidr": """
cidr({string})|cidr('10.0.0.0/8')|cidr('fe80::/10')|{cidr}.masked()
""",
    "semver": """
semver({string})|semver('1.2.3')|semver('1.2.3-rc.1')|semver('v1.2', true)
""",
    "url": """
url({string})|url('https://a.dev:443/x?y=1')
""",
    "time": """
{self}.time|{self}.day|timestamp('2024-01-01T00:00:00Z')|{time} + {span}|timestamp({string})|{time} - {span}
""",
    "span": """
{self}.span|duration('90m')|{time} - {time}|{span} + {span}|duration({string})
""",
    "bytes": """
{self}.bytes|b'a'|bytes({string})|{bytes} + {bytes}
""",
}
_TEMPLATES = {
    kind: [part for line in text.splitlines() for part in line.split("|") if part] for kind, text in _TEXTS.items()
}
_TEMPLATES["bool"].append("{bool} || {bool}")
_HOLE = re.compile(r"\{([a-z=]+)\}")


def expression(rng: random.Random, kind: str, depth: int = 2, wrong: float = 0.01) -> str:
    """Text of an expression whose type is `kind`, unless something is wrong with it."""
    if rng.random() < wrong:
        kind = rng.choice(sorted(_TEMPLATES))
    templates = _TEMPLATES[kind]
    if depth <= 0:
        templates = [text for text in templates if not _HOLE.search(text.replace("{self}", "").replace("{lit}", ""))]
    text = rng.choice(templates or _TEMPLATES[kind][:2])

    def fill(found: re.Match[str]) -> str:
        match found[1]:
            case "self":
                return "self"
            case "lit":
                return rng.choice(TEXTS)
            case "==":
                return rng.choice(["==", "!=", "<"])
            case inner:
                return expression(rng, inner, depth - 1, wrong)

    made = _HOLE.sub(fill, text)
    if rng.random() < wrong / 2:
        made = made.replace(rng.choice(["(", ")", ".", "self", "'"]), rng.choice(["", "..", "selfish", "("]), 1)
    return made


def rule(rng: random.Random) -> dict[str, Any]:
    """A rule whose message tells what an expression evaluates to."""
    made: dict[str, Any] = {"rule": expression(rng, "bool", rng.choice([0, 1, 2, 2, 3]))}
    if rng.random() < 0.5:
        made["rule"] = f"({made['rule']}) && false"
    what = rng.random()
    if what < 0.6:
        made["messageExpression"] = expression(rng, "string", rng.choice([0, 1, 2]))
    elif what < 0.75:
        made["message"] = rng.choice(["it is wrong", " padded ", "", "two\nlines"])
    if rng.random() < 0.2:
        made["reason"] = rng.choice(["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "Odd"])
    if rng.random() < 0.2:
        made["fieldPath"] = rng.choice([".s", ".map", "['s']", ".bogus", ".map.k", ".items[0]", "s", ".n-o"])
    if rng.random() < 0.1:
        made["optionalOldSelf"] = rng.random() < 0.8
    return made
