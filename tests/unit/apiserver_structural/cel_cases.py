"""Expressions that were played to a real kube-apiserver 1.34.4; `record_cel.py` writes down what became of them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_TEXT: Json = {"type": "string", "maxLength": 10}
SUBJECT: Json = {
    "type": "object",
    "properties": {
        "s": _TEXT,
        "t": _TEXT,
        "i": {"type": "integer"},
        "j": {"type": "integer"},
        "d": {"type": "number"},
        "b": {"type": "boolean"},
        "l": {"type": "array", "maxItems": 5, "items": _TEXT},
        "n": {"type": "array", "maxItems": 5, "items": {"type": "integer"}},
        "m": {"type": "object", "maxProperties": 5, "additionalProperties": _TEXT},
        "o": {"type": "object", "properties": {"x": {"type": "string", "maxLength": 5}, "y": {"type": "integer"}}},
        "lo": {
            "type": "array",
            "maxItems": 5,
            "items": {
                "type": "object",
                "properties": {"x": {"type": "string", "maxLength": 5}, "y": {"type": "integer"}},
            },
        },
        "time": {"type": "string", "format": "date-time"},
        "dur": {"type": "string", "format": "duration"},
        "by": {"type": "string", "format": "byte", "maxLength": 10},
        "ios": {"x-kubernetes-int-or-string": True},
        "us": {"type": "string"},
        "ul": {"type": "array", "items": {"type": "string"}},
        "p": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "e": {"type": "string", "enum": ["a", "bbb"]},
        "set": {
            "type": "array",
            "maxItems": 5,
            "x-kubernetes-list-type": "set",
            "items": {"type": "string", "maxLength": 5},
        },
    },
}
OBJECT: Json = {
    "s": "abc",
    "t": "b,c",
    "i": 7,
    "j": -2,
    "d": 2.5,
    "b": True,
    "l": ["x", "y"],
    "n": [3, 1],
    "m": {"k": "v", "a.b": "w"},
    "o": {"x": "ox"},
    "lo": [{"x": "p", "y": 4}, {"x": "q"}],
    "time": "2024-02-29T23:30:05.250Z",
    "dur": "1h30m0.5s",
    "by": "aGk=",
    "ios": "50%",
    "e": "a",
    "set": ["b", "a"],
}
VALUES = [
    line.split(" ;; ")
    for line in r"""
string(self.i) ;; string(self.d) ;; string(self.b)
string(1e6) ;; string(1e21) ;; string(0.000001) ;; string(-0.5) ;; string(100000.0)
string(self.time) ;; string(self.dur) ;; string(self.by)
string(self.i / self.j) ;; string(self.i % self.j) ;; string(-self.i % 4)
string(7u / 2u) ;; string(uint(self.i)) ;; string(int('-12')) ;; string(int(2.9)) ;; string(int(-2.9)) ;; string(double('1e3'))
string(int(self.time)) ;; string(timestamp(0)) ;; string(duration('90m'))
self.s.charAt(1) ;; self.s.substring(1) ;; self.s.substring(0, 2) ;; self.s.upperAscii() ;; 'ÄbC'.lowerAscii()
self.t.replace(',', ';') ;; 'aaa'.replace('a', 'b', 2) ;; ' x '.trim()
string('hello'.indexOf('l')) ;; string('hello'.lastIndexOf('l')) ;; string('hello'.indexOf('l', 3)) ;; string('hello'.indexOf(''))
string('a,b'.split(',', 0).size())
strings.quote('a"b\n\t\\')
'%s %d %f %.1f %e %x %X %o %b %%'.format(['a', 5, 1.5, 2.25, 1500.0, 255, 'hi', 8, 5])
'%s %s %s %s'.format([[1, 2], {'b': 1, 'a': 2}, true, null])
'%s|%s|%s|%s|%s'.format([1.0, 1e10, b'x', duration('1m'), timestamp('2020-01-01T00:00:00Z')])
self.s.find('[b-z]+') ;; self.t.find('z')
string(self.l.isSorted()) ;; string([3, 1].isSorted()) ;; string(self.n.sum()) ;; string(self.n.max()) ;; string(self.n.min())
string(self.l.indexOf('y'))
string(self.l + ['z'] == ['x', 'y', 'z']) ;; string(self.set == ['a', 'b']) ;; string(self.set + ['a', 'c'] == ['c', 'b', 'a'])
string(self.m.transformMap(k, v, v + v)['k']) ;; string(self.m.transformMapEntry(k, v, {v: k})['v'])
string(self.l.all(i, v, i < 2)) ;; string(self.l.exists(i, v, v == 'z')) ;; string(self.l.existsOne(i, v, i == 1))
string(self.lo.exists(x, x.y == 4)) ;; string(self.lo.exists_one(x, x.x == 'q')) ;; string(self.lo.all(x, has(x.y)))
self.?s.orValue('none') ;; self.o.?x.value() ;; self.m[?'zz'].orValue('no') ;; self.l[?1].orValue('no') ;; self.l[?9].orValue('no')
self.l.first().value() ;; self.l.last().value()
string(optional.none().hasValue()) ;; string(optional.of('').hasValue()) ;; string(optional.ofNonZeroValue('').hasValue())
string([?self.?s, ?self.?us].size()) ;; string({?'a': self.?us}.size()) ;; string(optional.unwrap([optional.of(1), optional.none()]).size())
self.?us.or(self.?s).value() ;; string(optional.of(1) == optional.of(1)) ;; string(optional.none() == optional.of(1))
string(sets.contains(self.l, ['x'])) ;; string(sets.equivalent(self.l, ['y', 'x', 'x'])) ;; string(sets.intersects(self.l, ['z']))
string(self.time.getFullYear()) ;; string(self.time.getMonth()) ;; string(self.time.getDate()) ;; string(self.time.getDayOfMonth())
string(self.time.getDayOfYear()) ;; string(self.time.getDayOfWeek()) ;; string(self.time.getHours()) ;; string(self.time.getMilliseconds())
string(self.time.getHours('Europe/Berlin')) ;; string(self.time.getDate('+05:30')) ;; string(self.time.getMinutes('-02:15'))
string(self.dur.getHours()) ;; string(self.dur.getMinutes()) ;; string(self.dur.getSeconds()) ;; string(self.dur.getMilliseconds())
string(self.time + duration('24h')) ;; string(self.time - self.time) ;; string(self.dur + self.dur) ;; string(self.dur - duration('2h'))
string(quantity('1Gi').isGreaterThan(quantity('1G'))) ;; string(quantity('1.5').isInteger()) ;; string(quantity('100m').compareTo(quantity('0.1')))
string(sign(quantity('-1'))) ;; string(quantity('1k').asInteger()) ;; string(quantity('1500m').asApproximateFloat()) ;; string(quantity('2').add(3).asInteger())
string(quantity('2').sub(quantity('500m')).asApproximateFloat()) ;; string(isQuantity('1.5Gi')) ;; string(isQuantity('1x'))
string(ip('192.168.0.1').family()) ;; string(ip('fe80::1').isLinkLocalUnicast()) ;; string(ip('127.0.0.1').isLoopback()) ;; string(ip('8.8.8.8').isGlobalUnicast())
string(ip('0.0.0.0').isUnspecified()) ;; string(ip('224.0.0.1').isLinkLocalMulticast()) ;; string(isIP('1.2.3')) ;; string(isIP('::1')) ;; string(isIP('fe80::1%a'))
string(ip.isCanonical('2001:db8::1')) ;; string(ip.isCanonical('2001:DB8::1')) ;; string(ip('2001:DB8::1')) ;; string(cidr('10.1.2.3/8').ip())
string(cidr('10.1.2.3/8').masked()) ;; string(cidr('10.0.0.0/8').prefixLength()) ;; string(cidr('10.0.0.0/8').containsIP('10.9.9.9'))
string(cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')) ;; string(cidr('10.0.0.0/16').containsCIDR(cidr('10.0.0.0/8'))) ;; string(isCIDR('10.0.0.0/33'))
url('https://u:p@h.dev:8443/a%20b/c?x=1&x=2&y#f').getScheme() ;; url('https://u:p@h.dev:8443/a%20b/c?x=1#f').getHost()
url('https://h.dev:8443/a%20b/ü?x=1').getEscapedPath() ;; url('https://[::1]:80/').getHostname() ;; url('https://h.dev:8443/').getPort()
url('http://h/?x=1&x=2&y=%20').getQuery()['x'].join('+') ;; string(url('/p').getHost() == '') ;; string(isURL('a b')) ;; string(isURL('/a'))
string(semver('1.2.3').isLessThan(semver('1.10.0'))) ;; string(semver('1.2.3-rc.1').compareTo(semver('1.2.3'))) ;; string(isSemver('v1.2')) ;; string(isSemver('v1.2', true))
string(semver('v01.2', true).major()) ;; string(semver('1.2.3').minor()) ;; string(semver('1.2.3+b').patch()) ;; string(semver('1.2.3-a') == semver('1.2.3-a'))
string(format.uuid().validate('x').hasValue()) ;; string(format.named('nope').hasValue())
string(format.dns1123LabelPrefix().validate('a-').hasValue())
type(self.ios) == string ? 'text' : 'number'
string(type(1) == int) ;; string(type([]) == list) ;; string(type({}) == map) ;; string(type(null) == null_type)
string(dyn(1) == dyn(1.0)) ;; string(dyn(1) == dyn('1')) ;; string(self.i < 7.5) ;; string(1u < 2)
string('a' < 'b') ;; string(b'a' < b'b') ;; string(false < true) ;; string('é' > 'z') ;; string([1, 2] == [1, 2]) ;; string({'a': 1} == {'a': 1})
string('b' in ['a', 'b']) ;; string('k' in self.m) ;; string(self.m['a.b'] == 'w') ;; string(has(self.m.zz)) ;; string(has(self.us))
string(size('é')) ;; string(size(b'é')) ;; string(self.m.size()) ;; string(bytes('é') == b'\xc3\xa9') ;; string(b'\303\251')
string(true || self.us == 'x') ;; string(self.us == 'x' || true) ;; string(self.i > 0 ? 1 : 1 / 0)
string(self.l.exists(x, x == 'x' || self.us == 'a')) ;; string(self.lo.exists(x, x.y == 4 && x.x == 'p'))
r'a\d' ;; '\x41\u00e9\101' ;; "it's" ;; b'\303\251'
""".strip().splitlines()  # noqa: E501
]
"""Each row is put into one text: that way no sizes add up, and no cost is too high."""
CONDITIONS = r"""
self.us == 'x'
self.l[5] == 'x'
self.m['zz'] == 'x'
self.m.zz == 'x'
self.i / 0 == 1
self.i % 0 == 1
9223372036854775807 + self.i > 0
-9223372036854775807 - self.i > 0
self.i * 9223372036854775807 > 0
uint(self.j) == 1u
int(self.s) == 1
double(self.s) == 1.0
bool(self.s)
duration(self.s) == self.dur
timestamp(self.s) == self.time
self.ios + 1 == 2
self.ios < 3
self.ios.size() == 3
self.ios.foo == 'a'
quantity(self.s).isInteger()
quantity('1.5').asInteger() == 1
ip(self.s).family() == 4
ip('1.2.3').family() == 4
ip('1.2.3.256').family() == 4
ip('::ffff:1.2.3.4').family() == 4
cidr(self.s).prefixLength() == 8
cidr('10.0.0.0/33').prefixLength() == 8
cidr('x/8').prefixLength() == 8
cidr('10.0.0.0/8').containsIP(self.s)
url(self.s).getHost() == 'a'
url('http://x/%zz').getHost() == 'a'
semver(self.s).major() == 1
semver('1.2').major() == 1
semver('1.2.3.4').major() == 1
semver('01.2.3').major() == 1
self.s.substring(5) == 'a'
self.s.substring(2, 1) == 'a'
self.s.charAt(9) == 'a'
self.s.matches(self.t + '(')
'%d'.format([dyn('a')]) == 'a'
'%s'.format(dyn([])) == 'a'
optional.none().value() == 1
[].max() == 1
self.n.filter(x, x > 9).min() == 1
self.time.getHours('Nowhere/City') == 1
timestamp('9999-12-31T23:59:59Z') + duration('1h') == self.time
self.l.all(x, x == 'x' && self.us == 'a')
self.lo.all(x, x.y == 4)
self.lo.exists_one(x, x.y == 4)
self.l.map(x, self.m[x]).size() == 2
self.m.transformMapEntry(k, v, {'a': v}).size() == 2
'a'.indexOf('b', -1) == 0
self.s == 'nope'
!self.b
""".strip().splitlines()
CHECKED = r"""
self.l.flatten() == self.l
self.l.distinct() == self.l
self.l.sort() == self.l
self.l.slice(0,1) == self.l
lists.range(3) == self.n
self.l.first().hasValue()
self.l.last().hasValue()
self.l.reverse() == self.l
self.s.reverse() == self.s
strings.quote(self.s) == self.s
'%s'.format([self.s]) == self.s
math.greatest(1,2) == 2
math.abs(-1) == 1
cel.bind(x, self.s, x == x)
base64.encode(b'1') == '1'
isImage('x')
image('x') == image('y')
optional.unwrap([optional.of(1)]) == [1]
[optional.of(1)].unwrapOpt() == [1]
semver('1.0.0').major() == 1
semver('v1.0', true).major() == 1
self.l.all(i, v, i < 3)
self.l.transformList(i, v, v).size() == 1
self.m.transformMap(k, v, v).size() == 1
self.m.transformMapEntry(k, v, {v: k}).size() == 1
self.l.existsOne(i, v, v == 'a')
self.l.exists_one(i, v, v == 'a')
self.l.existsOne(v, v == 'a')
self.l.sortBy(x, x) == self.l
sets.contains(self.l, ['a'])
ip('1.2.3.4').family() == 4
ip.isCanonical('1.2.3.4')
cidr('10.0.0.0/8').containsIP('10.0.0.1')
format.named('dns1123Label').hasValue()
format.dns1123Label().validate('x').hasValue()
format.bogus().validate('x').hasValue()
quantity('1').add(1).isInteger()
jsonpatch.escapeKey('a') == 'a'
authorizer.path('/x').check('get').allowed()
self.s.matches('[')
duration('x') == self.dur
timestamp('x') == self.time
self.s + 1 == 'x'
[1, 'a'].size() == 2
{'a': 1, 'b': 'x'}.size() == 2
self.s == null
self.o == null
self.bogus
self.o.bogus == 1
self.p.x == 1
bogus == 1
self.s
1
self.s.bogus()
bogus(self.s)
self.s.startsWith(1)
startsWith(self.s)
self.s.size() > 1.5
self.i == 1.5
self.i == 1u
self.i > self.d
self.i + self.d > 1.0
dyn(self.i) == 'a'
self.us == 'a'
self.us.contains(self.us)
self.ul.all(x, x == 'a')
self.ul.all(x, self.ul.all(y, x == y))
self.ul.all(x, x.contains(x))
self.us.matches('a')
self.us.find('aaaaaaa') == ''
has(self.s) && self.s
self.s.
self.s ==
(self.s == 'a'
self.s == 'a')
self.s = 'a'
self.s == "a
self.s == 'a' 'b'
self.s ? 1 : 2
has(self)
has(self.l[0])
self.l.all(1, true)
self.l.all(x)
self.i.all(x, true)
self.l.map(x, y, z, 1)
self.s in self.l in self.l
1 +
#
self.s == 'a' && #
self..s
[1, 2
{1: 2
oldSelf.s == self.s
'%s %d'.format(['a', 1]) == 'a 1'
'%d'.format(['a']) == 'a 1'
'%q'.format(['a']) == 'a 1'
'%s %s'.format(['a']) == 'a 1'
'%.2f'.format([self.s]) == 'a 1'
[1, self.d].size() == 2
[null, self.o].size() == 2
[[1], ['a']].size() == 2
[self.ios, 1].size() == 2
self.ios + 1 == 2
self.ios == 'a'
self.ios.size() == 1
self.ios.foo == 1
type(self.s) == string
type(self.ios) == int
type(self.ios) == 'int'
self.o.?x.orValue('') == ''
self.o.?bogus.orValue('') == ''
self.?s.hasValue()
self.m['a'] == 'x'
self.m.a == 'x'
self.m[1] == 'x'
self.m[?'a'].orValue(1) == 'x'
self.l[?0].orValue('a') == 'x'
self.l['a'] == 'x'
self.o['x'] == 'x'
{'a': 1}.a == 1
{1: 'a'}[1] == 'a'
{?'a': self.?s}.size() == 1
[?self.?s].size() == 1
[?self.s].size() == 1
optional.of(1).value() == 'a'
self.?s.optMap(x, x + 'a').orValue('') == ''
self.?s.optFlatMap(x, optional.of(x)).hasValue()
self.l.map(x, x.size()) == [1]
self.l.map(x, x == 'a', x.size()) == [1]
self.l.filter(x, x).size() == 1
self.l.exists(x, 1)
self.n.sum() == 1
self.l.sum() == 1
self.n.max() == 'a'
self.time.getFullYear() == 2020
self.time.getFullYear('UTC') == 2020
self.dur.getHours() == 1
self.dur.getFullYear() == 1
self.by == b'a'
self.by.size() == 1
string(self.by) == 'a'
self.time - self.time == self.dur
self.time + self.time == self.dur
self.time + 1 == self.time
int('a') == 1
1 + 1u == 2
-self.s == 'a'
!self.s
self.s && self.b || self.i
self.b ? 'a' : 1
self.b ? self.s : null
self.b ? self.o : null
self.l + self.n == self.l
self.l + ['a'] == self.l
self.l == self.n
self.lo == [{'x': 'a'}]
self.o == {'x': 'a'}
self.lo.all(x, x.bogus == 1)
self.lo[0].x == 'a'
self.lo.map(x, x.y).sum() > 1
1 in self.l
'a' in self.m
1 in self.m
1 in 1
self in [1]
size(1)
self.s.size(1)
url('x') == 'x'
url(self.s).getHost() == self.s
isURL(1)
ip(self.s) == self.s
quantity(self.s) == 1
quantity(1).isInteger()
semver(self.s).isLessThan('1')
format.named('x').value().validate(1).hasValue()
sets.contains(self.l, self.n)
sets.contains(self.l, 'a')
duration('1h') == duration('90m')
duration('1d') == duration('90m')
timestamp('2020-01-01') == self.time
self.s.matches('(')
self.s.find('(') == ''
self.s.matches(self.t)
1 / 0 == 1
9223372036854775808 == 1
-9223372036854775808 == 1
18446744073709551616u == 1u
0xFF == 255
1e3 == 1000.0
.5 == 0.5
'\u00e9' == 'é'
'é' == self.bogus
self.for == 1
for == 1
self.`s` == 'a'
int == type(1)
int
Foo{a: 1} == 1
self.l.all(self, self == 'a')
self.l.all(x, self.l.all(x, x == 'a'))
self.l.all(@result, true)
has(self.bogus)
has(self.m.a)
has(self.l.a)
has(self.ios.a)
self.l.all(x, y, x == y)
self.l.all(x, x, true)
self.m.all(x, y, x == y)
self.s.all(x, true)
optional.none() == optional.of(1)
optional.none().orValue('a') == 'a'
[].size() == 0
{}.size() == 0
[] == self.l
dyn([1, 'a']).size() == 2
[dyn(1), 'a'].size() == 2
self.metadata.name == 'a'
self.us.size() == self.us.size() && self.us.contains('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')
self.us.lowerAscii() == self.us.upperAscii()
self.us.split('') == self.ul
self.ul.join() == self.us
self.us.replace('a', 'bbbbbbbbbbbbb').size() == 1
self.us.matches('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')
self.l.all(x, self.us.matches('aaaaaaaa'))
quantity(self.us).isInteger()
url(self.us).getHost() == 'a'
self.ul.sum() == 1
self.ul.isSorted()
self.ul.indexOf('a') == 1
sets.contains(self.ul, ['a'])
sets.contains(self.ul, self.ul)
self.ul.map(x, x + x).all(y, y.size() > 1)
strings.quote(self.us.charAt(0)) == 'a'
self.us.charAt(0).matches('aaaaaaaa')
url('https://a').getPort().matches('aaaaaaaa')
url('https://a').getHost().matches('aaaaaaaa')
url('https://a').getHostname().matches('aaaaaaaa')
url('https://a').getScheme().matches('aaaaaaaa')
url('https://a').getEscapedPath().matches('aaaaaaaa')
url(self.s).getEscapedPath().matches('aaaaaaaa')
url(self.us).getEscapedPath().matches('aaaaaaaa')
url('https://a').getQuery()['x'].all(x, x == 'a')
string(1).matches('aaaaaaaa')
string(self.d).matches('aaaaaaaa')
string(self.time).matches('aaaaaaaa')
string(self.dur).matches('aaaaaaaa')
string(ip('1.2.3.4')).matches('aaaaaaaa')
string(cidr('1.2.3.4/8')).matches('aaaaaaaa')
string(self.b).matches('aaaaaaaa')
string(self.s).matches('aaaaaaaa')
string(self.by).matches('aaaaaaaa')
strings.quote(self.s).matches('aaaaaaaa')
'%s'.format([self.s]).matches('aaaaaaaa')
self.s.replace('a','b').matches('aaaaaaaa')
self.s.split(',')[0].matches('aaaaaaaa')
self.us.split(',')[0].matches('aaaaaaaa')
self.s.find('a').matches('aaaaaaaa')
self.s.findAll('a')[0].matches('aaaaaaaa')
self.l.join().matches('aaaaaaaa')
self.l.max().matches('aaaaaaaa')
self.l.map(x, x).max().matches('aaaaaaaa')
self.l.first().value().matches('aaaaaaaa')
self.?s.value().matches('aaaaaaaa')
self.?s.orValue('').matches('aaaaaaaa')
optional.of(self.s).value().matches('aaaaaaaa')
optional.of('a').value().matches('aaaaaaaa')
self.l[?0].value().matches('aaaaaaaa')
self.m[?'a'].value().matches('aaaaaaaa')
self.m['a'].matches('aaaaaaaa')
self.m.a.matches('aaaaaaaa')
self.m.map(k, k)[0].matches('aaaaaaaa')
self.m.all(k, k.matches('aaaaaaaa'))
self.m.all(k, v, v.matches('aaaaaaaa'))
self.m.transformList(k, v, v)[0].matches('aaaaaaaa')
self.l.transformMap(i, v, v)[0].matches('aaaaaaaa')
self.l.map(x, x + 'a')[0].matches('aaaaaaaa')
self.lo.map(x, x.x)[0].matches('aaaaaaaa')
self.l.filter(x, x == 'a')[0].matches('aaaaaaaa')
(self.b ? self.s : self.t).matches('aaaaaaaa')
self.ios.matches('aaaaaaaa')
string(self.ios).matches('aaaaaaaa')
dyn(self.s).matches('aaaaaaaa')
['a', self.s][0].matches('aaaaaaaa')
{'a': self.s}['a'].matches('aaaaaaaa')
[self.us][0].matches('aaaaaaaa')
format.dns1123Label().validate(self.s).value()[0].matches('aaaaaaaa')
format.dns1123Label().validate(self.us).hasValue()
isQuantity(self.us)
isQuantity(string(1))
quantity(string(1)).isInteger()
semver(string(1)).major() == 1
isSemver(string(1))
isIP(string(1))
isCIDR(string(1))
ip(string(1)).family() == 4
cidr(string(1)).prefixLength() == 4
ip.isCanonical(string(1))
isURL(string(1))
url(string(1)).getHost() == 'a'
cidr('10.0.0.0/8').containsIP(string(1))
cidr('10.0.0.0/8').containsCIDR(string(1))
url(self.us) == url(self.us)
quantity('1') == quantity('2')
ip('1.2.3.4') == ip('1.2.3.4')
cidr('1.2.3.4/8') == cidr('1.2.3.4/8')
semver('1.2.3') == semver('1.2.3')
format.dns1123Label() == format.dns1123Label()
optional.of(1) == optional.of(1)
optional.of('a') == optional.of('a')
self.o == self.o
self.lo == self.lo
self.ul == self.ul
self.p == self.p
type(1) == type(2)
self.time == self.time
duration(string(1)) == self.dur
timestamp(string(1)) == self.time
int(string(1)) == 1
double(string(1)) == 1.0
bytes(string(1)) == self.by
string(1).size() == 1
string(1).lowerAscii() == 'a'
string(1).startsWith(string(1))
string(1).indexOf('a') == 1
string(1).charAt(1) == 'a'
string(1).split('a') == self.l
string(1).join() == 'a'
string(1) in self.l
'a' in string(1).split(',')
string(1) < 'a'
string(1) + 'a' == 'b'
self.ul.map(x, x.size()).sum() == 1
self.ul.map(x, self.i).max() == 1
sets.equivalent(self.l, self.l)
sets.intersects(self.ul, self.ul)
sets.contains(self.us.split(''), ['a'])
self.us.find(self.us) == 'a'
self.us.replace('', self.us) == 'a'
self.us.replace('a', 'bb').matches('aaaa')
self.us.lastIndexOf('a') == 1
self.us.substring(1).matches('aaaaaaaaaaaaaaaaaaaaaaaaaa')
self.ul.exists(x, self.us == x)
self.ul.all(x, size(x) < 3)
self.ul.all(x, has(self.o.x) && self.o.x == x)
self.ul.filter(x, x.size() > 3).size() == 1
self.ul.map(x, x).map(y, y).map(z, z).size() == 1
self.ul.map(x, self.ul.map(y, 'a')).size() == 1
""".strip().splitlines()


def text_of(row: list[str]) -> str:
    """An expression that shows the values of several."""
    return f"'{' | '.join(['%s'] * len(row))}'.format([{', '.join(row)}])"
