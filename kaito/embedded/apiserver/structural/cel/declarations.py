"""The functions of CEL in CustomResourceDefinitions of Kubernetes 1.34, by overload, in the order of their declaration.

The environment is that of compatibility version 1.33 (k8s.io/apiserver/pkg/cel/environment): the standard library,
optionals, strings (version 2), sets, two-variable comprehensions, and Kubernetes' own URL, regex, lists, quantity, IP,
CIDR, format and semver libraries. cel-go's math, lists, encoders and bindings extensions are not in it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kaito.embedded.apiserver.structural.cel import types
from kaito.embedded.apiserver.structural.cel.types import Type

_AUTHORIZER: Final = tuple(
    f"kubernetes.authorization.{name}"
    for name in ("Authorizer", "PathCheck", "GroupCheck", "ResourceCheck", "Decision")
)
OPAQUE: Final = (
    *_AUTHORIZER,
    "kubernetes.Quantity",
    "kubernetes.URL",
    "net.IP",
    "net.CIDR",
    "kubernetes.NamedFormat",
    "kubernetes.Semver",
)
_NUMBERS: Final = ("int", "uint", "double")
_COMPARED: Final = ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")
_COMPARISONS: Final = {"_<_": "less", "_<=_": "less_equals", "_>_": "greater", "_>=_": "greater_equals"}
_SUFFIX: Final = {"int": "int64", "uint": "uint64"}


class Overload(NamedTuple):
    id: str
    args: tuple[Type, ...]
    """The target first, for a member."""
    result: Type
    member: bool


_PARTS_OF_DURATIONS: Final = ("getHours", "getMinutes", "getSeconds", "getMilliseconds")
_STANDARD: Final = """
conditional _?_:_(bool, A, A) A
logical_and _&&_(bool, bool) bool
logical_or _||_(bool, bool) bool
logical_not !_(bool) bool
not_strictly_false @not_strictly_false(bool) bool
equals _==_(A, A) bool
not_equals _!=_(A, A) bool
add_bytes _+_(bytes, bytes) bytes
add_double _+_(double, double) double
add_duration_duration _+_(duration, duration) duration
add_duration_timestamp _+_(duration, timestamp) timestamp
add_timestamp_duration _+_(timestamp, duration) timestamp
add_int64 _+_(int, int) int
add_list _+_(list(A), list(A)) list(A)
add_string _+_(string, string) string
add_uint64 _+_(uint, uint) uint
divide_double _/_(double, double) double
divide_int64 _/_(int, int) int
divide_uint64 _/_(uint, uint) uint
modulo_int64 _%_(int, int) int
modulo_uint64 _%_(uint, uint) uint
multiply_double _*_(double, double) double
multiply_int64 _*_(int, int) int
multiply_uint64 _*_(uint, uint) uint
negate_double -_(double) double
negate_int64 -_(int) int
subtract_double _-_(double, double) double
subtract_duration_duration _-_(duration, duration) duration
subtract_int64 _-_(int, int) int
subtract_timestamp_duration _-_(timestamp, duration) timestamp
subtract_timestamp_timestamp _-_(timestamp, timestamp) duration
subtract_uint64 _-_(uint, uint) uint
index_list _[_](list(A), int) A
index_map _[_](map(A, B), A) B
optional_list_index_int _[_](optional_type(list(A)), int) optional_type(A)
optional_map_index_value _[_](optional_type(map(A, B)), A) optional_type(B)
list_optindex_optional_int _[?_](list(A), int) optional_type(A)
optional_list_optindex_optional_int _[?_](optional_type(list(A)), int) optional_type(A)
map_optindex_optional_value _[?_](map(A, B), A) optional_type(B)
optional_map_optindex_optional_value _[?_](optional_type(map(A, B)), A) optional_type(B)
in_list @in(A, list(A)) bool
in_map @in(A, map(A, B)) bool
size_bytes size(bytes) int
bytes_size bytes.size() int
size_list size(list(A)) int
list_size list(A).size() int
size_map size(map(A, B)) int
map_size map(A, B).size() int
size_string size(string) int
string_size string.size() int
type type(A) type(A)
bool_to_bool bool(bool) bool
string_to_bool bool(string) bool
bytes_to_bytes bytes(bytes) bytes
string_to_bytes bytes(string) bytes
double_to_double double(double) double
int64_to_double double(int) double
string_to_double double(string) double
uint64_to_double double(uint) double
duration_to_duration duration(duration) duration
int64_to_duration duration(int) duration
string_to_duration duration(string) duration
to_dyn dyn(A) dyn
int64_to_int64 int(int) int
double_to_int64 int(double) int
duration_to_int64 int(duration) int
string_to_int64 int(string) int
timestamp_to_int64 int(timestamp) int
uint64_to_int64 int(uint) int
string_to_string string(string) string
bool_to_string string(bool) string
bytes_to_string string(bytes) string
double_to_string string(double) string
duration_to_string string(duration) string
int64_to_string string(int) string
timestamp_to_string string(timestamp) string
uint64_to_string string(uint) string
ip_to_string string(net.IP) string
cidr_to_string string(net.CIDR) string
timestamp_to_timestamp timestamp(timestamp) timestamp
int64_to_timestamp timestamp(int) timestamp
string_to_timestamp timestamp(string) timestamp
uint64_to_uint64 uint(uint) uint
double_to_uint64 uint(double) uint
int64_to_uint64 uint(int) uint
string_to_uint64 uint(string) uint
contains_string string.contains(string) bool
ends_with_string string.endsWith(string) bool
starts_with_string string.startsWith(string) bool
matches matches(string, string) bool
matches_string string.matches(string) bool
""" + "".join(
    f"timestamp_to_{name} timestamp.{name}() int\ntimestamp_to_{name}_with_tz timestamp.{name}(string) int\n"
    + (f"duration_to_{name} duration.{name}() int\n" if name in _PARTS_OF_DURATIONS else "")
    for name in (
        *("getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    )
)  # fmt: skip
_OPTIONALS: Final = """
optional_of optional.of(A) optional_type(A)
optional_ofNonZeroValue optional.ofNonZeroValue(A) optional_type(A)
optional_none optional.none() optional_type(A)
optional_value optional_type(A).value() A
optional_hasValue optional_type(A).hasValue() bool
select_optional_field _?._(dyn, string) optional_type(A)
optional_or_optional optional_type(A).or(optional_type(A)) optional_type(A)
optional_orValue_value optional_type(A).orValue(A) A
optional_unwrap optional.unwrap(list(optional_type(A))) list(A)
optional_unwrapOpt list(optional_type(A)).unwrapOpt() list(A)
list_first list(A).first() optional_type(A)
list_last list(A).last() optional_type(A)
"""
_EXTENSIONS: Final = """
cel_@mapInsert_map_map cel.@mapInsert(map(A, B), map(A, B)) map(A, B)
cel_@mapInsert_map_key_value cel.@mapInsert(map(A, B), A, B) map(A, B)
string_char_at_int string.charAt(int) string
string_format string.format(list(dyn)) string
string_index_of_string string.indexOf(string) int
string_index_of_string_int string.indexOf(string, int) int
list_join list(string).join() string
list_join_string list(string).join(string) string
string_last_index_of_string string.lastIndexOf(string) int
string_last_index_of_string_int string.lastIndexOf(string, int) int
string_lower_ascii string.lowerAscii() string
strings_quote strings.quote(string) string
string_replace_string_string string.replace(string, string) string
string_replace_string_string_int string.replace(string, string, int) string
string_split_string string.split(string) list(string)
string_split_string_int string.split(string, int) list(string)
string_substring_int string.substring(int) string
string_substring_int_int string.substring(int, int) string
string_trim string.trim() string
string_upper_ascii string.upperAscii() string
list_sets_contains_list sets.contains(list(A), list(A)) bool
list_sets_equivalent_list sets.equivalent(list(A), list(A)) bool
list_sets_intersects_list sets.intersects(list(A), list(A)) bool
string_to_url url(string) kubernetes.URL
url_get_scheme kubernetes.URL.getScheme() string
url_get_host kubernetes.URL.getHost() string
url_get_hostname kubernetes.URL.getHostname() string
url_get_port kubernetes.URL.getPort() string
url_get_escaped_path kubernetes.URL.getEscapedPath() string
url_get_query kubernetes.URL.getQuery() map(string, list(string))
is_url_string isURL(string) bool
string_find_string string.find(string) string
string_find_all_string string.findAll(string) list(string)
string_find_all_string_int string.findAll(string, int) list(string)
list_a_index_of_int list(A).indexOf(A) int
list_a_last_index_of_int list(A).lastIndexOf(A) int
string_to_quantity quantity(string) kubernetes.Quantity
is_quantity_string isQuantity(string) bool
quantity_sign sign(kubernetes.Quantity) int
quantity_is_greater_than kubernetes.Quantity.isGreaterThan(kubernetes.Quantity) bool
quantity_is_less_than kubernetes.Quantity.isLessThan(kubernetes.Quantity) bool
quantity_compare_to kubernetes.Quantity.compareTo(kubernetes.Quantity) int
quantity_get_float kubernetes.Quantity.asApproximateFloat() double
quantity_get_int kubernetes.Quantity.asInteger() int
quantity_is_integer kubernetes.Quantity.isInteger() bool
quantity_add kubernetes.Quantity.add(kubernetes.Quantity) kubernetes.Quantity
quantity_add_int kubernetes.Quantity.add(int) kubernetes.Quantity
quantity_sub kubernetes.Quantity.sub(kubernetes.Quantity) kubernetes.Quantity
quantity_sub_int kubernetes.Quantity.sub(int) kubernetes.Quantity
string_to_ip ip(string) net.IP
cidr_ip net.CIDR.ip() net.IP
family net.IP.family() int
ip_is_canonical ip.isCanonical(string) bool
is_ip isIP(string) bool
is_unspecified net.IP.isUnspecified() bool
is_loopback net.IP.isLoopback() bool
is_link_local_multicast net.IP.isLinkLocalMulticast() bool
is_link_local_unicast net.IP.isLinkLocalUnicast() bool
is_global_unicast net.IP.isGlobalUnicast() bool
string_to_cidr cidr(string) net.CIDR
cidr_contains_ip_string net.CIDR.containsIP(string) bool
cidr_contains_ip_ip net.CIDR.containsIP(net.IP) bool
cidr_contains_cidr_string net.CIDR.containsCIDR(string) bool
cidr_contains_cidr net.CIDR.containsCIDR(net.CIDR) bool
cidr_masked net.CIDR.masked() net.CIDR
cidr_prefix_length net.CIDR.prefixLength() int
is_cidr isCIDR(string) bool
format_validate kubernetes.NamedFormat.validate(string) optional_type(list(string))
format_named format.named(string) optional_type(kubernetes.NamedFormat)
string_to_semver semver(string) kubernetes.Semver
string_bool_to_semver semver(string, bool) kubernetes.Semver
is_semver_string isSemver(string) bool
is_semver_string_bool isSemver(string, bool) bool
semver_is_greater_than kubernetes.Semver.isGreaterThan(kubernetes.Semver) bool
semver_is_less_than kubernetes.Semver.isLessThan(kubernetes.Semver) bool
semver_compare_to kubernetes.Semver.compareTo(kubernetes.Semver) int
semver_major kubernetes.Semver.major() int
semver_minor kubernetes.Semver.minor() int
semver_patch kubernetes.Semver.patch() int
"""
# Declared in every environment, but no variable of a CustomResourceDefinition has these types.
_AUTHORIZATION: Final = """
authorizer_path kubernetes.authorization.Authorizer.path(string) kubernetes.authorization.PathCheck
authorizer_group kubernetes.authorization.Authorizer.group(string) kubernetes.authorization.GroupCheck
authorizer_serviceaccount kubernetes.authorization.Authorizer.serviceAccount(string, string) kubernetes.authorization.Authorizer
groupcheck_resource kubernetes.authorization.GroupCheck.resource(string) kubernetes.authorization.ResourceCheck
resourcecheck_subresource kubernetes.authorization.ResourceCheck.subresource(string) kubernetes.authorization.ResourceCheck
resourcecheck_namespace kubernetes.authorization.ResourceCheck.namespace(string) kubernetes.authorization.ResourceCheck
resourcecheck_name kubernetes.authorization.ResourceCheck.name(string) kubernetes.authorization.ResourceCheck
authorizer_fieldselector kubernetes.authorization.ResourceCheck.fieldSelector(string) kubernetes.authorization.ResourceCheck
authorizer_labelselector kubernetes.authorization.ResourceCheck.labelSelector(string) kubernetes.authorization.ResourceCheck
pathcheck_check kubernetes.authorization.PathCheck.check(string) kubernetes.authorization.Decision
resourcecheck_check kubernetes.authorization.ResourceCheck.check(string) kubernetes.authorization.Decision
decision_errored kubernetes.authorization.Decision.errored() bool
decision_error kubernetes.authorization.Decision.error() string
decision_allowed kubernetes.authorization.Decision.allowed() bool
decision_reason kubernetes.authorization.Decision.reason() string
"""  # noqa: E501
FORMATS: Final = (
    *("dns1123Label", "dns1123Subdomain", "dns1035Label", "qualifiedName"),
    *("dns1123LabelPrefix", "dns1123SubdomainPrefix", "dns1035LabelPrefix", "labelValue"),
    *("uri", "uuid", "byte", "date", "datetime"),
)


def _generated() -> str:
    """Overloads that follow a pattern: comparisons, sums and orders of lists, formats."""
    lines = []
    for function, name in _COMPARISONS.items():
        for left in _COMPARED:
            for right in _COMPARED:
                if left == right or (left in _NUMBERS and right in _NUMBERS):
                    suffix = "_".join(dict.fromkeys(_SUFFIX.get(kind, kind) for kind in (left, right)))
                    lines.append(f"{name}_{suffix} {function}({left}, {right}) bool")
    for kind in ("int", "uint", "double", "duration"):
        lines.append(f"list_{kind}_sum list({kind}).sum() {kind}")
    for kind in ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes"):
        lines.append(f"list_{kind}_is_sorted_bool list({kind}).isSorted() bool")
        for function in ("max", "min"):
            lines.append(f"list_{kind}_{function}_{kind} list({kind}).{function}() {kind}")
    lines += [f"format_{name} format.{name}() kubernetes.NamedFormat" for name in FORMATS]
    return "\n".join(lines)


_PIECE: Final = re.compile(r"\s*([A-Za-z_][\w.]*)\s*")


def _type(text: str, at: int = 0) -> tuple[Type, int]:
    found = _PIECE.match(text, at)
    assert found is not None, text
    name, at = found[1], found.end()
    params: list[Type] = []
    if at < len(text) and text[at] == "(":
        while text[at] in "(,":
            inner, at = _type(text, at + 1)
            params.append(inner)
        at += 1
    if name in ("A", "B"):
        return Type("param", name), at
    if name == "optional_type" or name in OPAQUE:
        return Type("opaque", name, tuple(params)), at
    return Type(name, params=tuple(params)), at


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [part for part in (*parts, text[start:]) if part.strip()]


def _overload(line: str) -> tuple[str, Overload]:
    """`ID FUNCTION(ARGS) RESULT` or `ID TARGET.FUNCTION(ARGS) RESULT`."""
    name, _, rest = line.partition(" ")
    depth, end = 0, 0
    for index in range(len(rest) - 1, -1, -1):
        depth += (rest[index] == ")") - (rest[index] == "(")
        if rest[index] == " " and depth == 0:
            end = index
            break
    call, result = rest[:end], _type(rest[end:])[0]
    depth = 0
    for index in range(len(call) - 1, -1, -1):
        depth += (call[index] == ")") - (call[index] == "(")
        if depth == 0:
            break
    head, args = call[:index], tuple(_type(part)[0] for part in _split(call[index + 1 : -1]))
    target, dot, function = head.rpartition(".")
    if not dot or target in _NAMESPACES or head in _OPERATORS:
        return head, Overload(name, args, result, False)
    return function, Overload(name, (_type(target)[0], *args), result, True)


_NAMESPACES: Final = ("optional", "cel", "strings", "sets", "ip", "format")
_OPERATORS: Final = ("_?._", "_[?_]", "_?_:_")


def _functions() -> dict[str, tuple[Overload, ...]]:
    found: dict[str, list[Overload]] = {}
    for line in "\n".join((_STANDARD, _OPTIONALS, _EXTENSIONS, _AUTHORIZATION, _generated())).splitlines():
        if line:
            function, overload = _overload(line)
            found.setdefault(function, []).append(overload)
    return {name: tuple(overloads) for name, overloads in found.items()}


FUNCTIONS: Final = _functions()
NAMED_TYPES: Final[dict[str, Type]] = {
    **{name: types.type_of(Type(name)) for name in ("bool", "bytes", "double", "int", "string", "uint")},
    **{name: types.type_of(Type(name)) for name in ("duration", "timestamp")},
    "list": types.type_of(types.list_of(types.DYN)),
    "map": types.type_of(types.map_of(types.DYN, types.DYN)),
    "null_type": types.type_of(types.NULL),
    "type": types.type_of(Type("type")),
    "google.protobuf.Duration": types.type_of(types.DURATION),
    "google.protobuf.Timestamp": types.type_of(types.TIMESTAMP),
    "optional_type": types.type_of(types.optional_of(types.DYN)),
    **{name: types.type_of(Type("opaque", name)) for name in OPAQUE},
}  # fmt: skip
"""Types that a rule may name, and the type of each name."""
