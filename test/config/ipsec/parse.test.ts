// The language of ipsec.conf: lines, sections, what they take over from each other, includes, quotes, comments.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIdentity } from '../../../src/ike/identity.ts';
import { conn, inMemory, mistakes, one, read } from './read.ts';

const BASE = 'authby=psk\n  auto=add';

function named(text: string, options = {}): readonly string[] {
  return read(text, options).connections.flatMap(({ children }) => children.map(({ name }) => name));
}

function only(text: string, options = {}): string {
  const found = mistakes(() => read(text, options));
  assert.equal(found.length, 1, found.join('\n'));
  return found[0] as string;
}

test('blanks, tabs, empty lines, comments and ends of lines are as people write them', () => {
  const text = `\ufeff# a comment
version 2.0\r
config setup\r
   # indented comment

conn   gw   # named
# not indented
\tkeyexchange = ikev2 # a comment
  \t auto\t=\tadd

    dpdaction=clear
 #dpdaction=restart
    dpddelay = 20s#here too
  authby=psk`;
  const { connections, warnings } = read(text);
  assert.deepEqual(
    connections.map(({ name, version, dpdDelay }) => [name, version, dpdDelay]),
    [['gw', 2, 20_000]],
  );
  // In FreeS/WAN the last comment would have been a part of the value.
  assert.deepEqual(warnings, [
    'ipsec.conf:13:16: the value ends before "#", which begins a comment; put a value that contains # in double quotes',
  ]);
});

test('the later value counts, also from another section of the same name; an empty one takes it away', () => {
  const text = `conn gw\n  ${BASE}\n  keyexchange=ikev1\n  dpdaction=clear\n  dpddelay=10s\nconn gw\n  keyexchange=ikev2\n  dpddelay=\n`;
  const { version, dpdDelay } = one(text);
  assert.deepEqual([version, dpdDelay], [2, 30_000]);
  const { warnings } = read(`conn gw\n  ${BASE}\n  dpddelay=1\n  dpddelay=2\n  keylife=1h\n  lifetime=2h\n`);
  assert.deepEqual(warnings, [
    'ipsec.conf:5:3: option "dpddelay" is written twice: what line 4 says no longer counts',
    'ipsec.conf:7:3: option "lifetime" is written twice: what line 6 says no longer counts',
  ]);
});

test('%default is for every section, wherever it stands, and its settings can be taken away', () => {
  const text = `conn a\n  auto=add\nconn %default\n  authby=psk\n  ikelifetime=2h\n  keyexchange=ikev1\nconn b\n  auto=add\n  ikelifetime=\n`;
  assert.deepEqual(
    read(text).connections.map(({ name, version, reauthTime }) => [name, version, reauthTime / 60_000]),
    [
      ['a', 1, 111],
      ['b', 1, 171],
    ],
  );
});

test('also takes over what a section has not: the later more than the earlier, %default least of all', () => {
  const text = `
conn %default
  authby=psk
  ikelifetime=1h
  lifetime=30m
  keyexchange=ikev1
conn first
  also=base
  keyexchange=ikev2
  lifetime=40m
conn second
  lifetime=50m
conn base
  ikelifetime=2h
  dpdaction=hold
conn gw
  auto=add
  also=first
  dpdaction=clear
  also=second
`;
  const connection = one(text);
  assert.equal(connection.version, 2, 'from first');
  assert.equal(connection.reauthTime / 60_000, 111, 'from base, through first');
  assert.equal(connection.children[0]?.lifetime.lifeTime, 3_000_000, 'from second');
  assert.equal(connection.children[0]?.dpdAction, 'clear', 'its own, though another also follows');
});

test('a section that two ways lead to counts where the last of them leads', () => {
  // D takes over C and B, which take over A: the order is D, B, C, A.
  const text = `
conn A
  lifetime=1h
  ikelifetime=1h
conn B
  also=A
  lifetime=2h
conn C
  also=A
  lifetime=3h
  ikelifetime=3h
conn D
  also=C
  also=B
  authby=psk
  auto=add
`;
  const { children, reauthTime } = one(text);
  assert.equal(children[0]?.lifetime.lifeTime, 7_200_000);
  assert.equal(reauthTime, 10_260_000, "C's, and not what B has from A");
});

test('sections that cannot be taken over from are named', () => {
  assert.equal(
    only(`conn gateway\n  auto=ignore\nconn a\n  ${BASE}\n  also=gatway\n`),
    'ipsec.conf:6:8: there is no section "gatway" to take over from; did you mean "gateway"?',
  );
  assert.equal(
    only(`conn a\n  also=b\nconn b\n  also=c\nconn c\n  also=a\n`),
    'ipsec.conf:6:8: sections take over from each other in a circle',
  );
  assert.equal(only('conn a\n  also=a\n'), 'ipsec.conf:2:8: sections take over from each other in a circle');
  assert.equal(
    only('conn %default\n  also=a\nconn a\n  auto=ignore\n'),
    'ipsec.conf:2:3: "also" cannot stand in %default',
  );
  assert.equal(only('ca x\n  also=elsewhere\n'), 'ipsec.conf:2:8: there is no section "elsewhere" to take over from');
  // As in strongSwan, these two say nothing.
  assert.deepEqual(named(`conn a\n  ${BASE}\n  also=\n  also=%default\n`), ['a']);
});

test('files are included where they are named, relative to the file that names them', () => {
  const files = inMemory({
    '/etc/e/conf.d/b.conf': `conn b\n  ${BASE}\n  also=net\n`,
    '/etc/e/conf.d/a.conf': `include more/net.inc\nconn a\n  ${BASE}\n`,
    '/etc/e/conf.d/more/net.inc': 'conn net\n  dpdaction=hold\n',
    '/etc/e/setup.inc': '  dpdaction=restart\n  dpddelay=7s\n',
  });
  const text = `include /etc/e/conf.d/*.conf\nconn z\n  ${BASE}\n  include /etc/e/setup.inc\n  right=192.0.2.9\n`;
  const { connections } = read(text, { files });
  const seen = connections.map(({ name, dpdDelay, children }) => [name, dpdDelay, children[0]?.dpdAction]);
  assert.deepEqual(seen, [
    ['b', 30_000, 'trap'],
    ['a', 0, 'clear'],
    ['z', 7000, 'restart'],
  ]);
});

test('what follows an include does not fall to a section of the included file', () => {
  const files = inMemory({ '/b.conf': `conn b\n  ${BASE}\n`, '/s.inc': '  dpdaction=hold\n' });
  assert.equal(
    only(`conn a\n  ${BASE}\ninclude /b.conf\n  right=192.0.2.9\n  left=192.0.2.1\n`, { files }),
    'ipsec.conf:5:3: "right" belongs to no section: "conn NAME" or "config setup" is missing before it',
  );
  assert.equal(
    one(`conn a\n  ${BASE}\n  include /s.inc\n  right=192.0.2.9\n`, { files }).children[0]?.dpdAction,
    'trap',
  );
});

test('includes that lead nowhere or in a circle are mistakes, patterns that match nothing are not', () => {
  const files = inMemory({ '/a.conf': 'include /b.conf\n', '/b.conf': 'conn b\n  auto=ignore\ninclude /a.conf\n' });
  assert.equal(only('include /none.conf\n', { files }), 'ipsec.conf:1:9: there is no file /none.conf');
  assert.equal(
    only('include /a.conf\n', { files }),
    '/b.conf:3:9: files include each other in a circle: ipsec.conf → /a.conf → /b.conf → /a.conf',
  );
  assert.deepEqual(named('include /c*.conf\n', { files }), []);
  assert.equal(
    only('include /a.conf /b.conf\n', { files: inMemory({ '/a.conf': '' }) }),
    'ipsec.conf:1:17: only one file name or pattern can follow "include"',
  );
});

test('values in double quotes are as they stand, also over several lines; others have single blanks', () => {
  const id = (line: string) => {
    const { remoteId } = conn(line);
    return remoteId.kind === 'is' ? formatIdentity(remoteId.id) : 'any';
  };
  assert.equal(id('rightid="keyid:a  b # c"'), 'a  b # c');
  assert.equal(id('rightid="keyid:say \\"no\\""'), 'say "no"');
  assert.equal(id('rightid = keyid:a   b'), 'a b');
  assert.equal(id('rightid="gw.\\\nexample.org"'), 'gw.example.org');
  assert.equal(id('rightid=@#c0ffee # a key id'), 'keyid:#c0ffee');
  assert.equal(id('rightid=""'), 'any');
});

test('lines that are no settings are mistakes, each with its place', () => {
  for (const [text, wrong] of [
    ['conn a\nauto=add\n', 'ipsec.conf:2:1: "auto" has to be indented: it belongs to a section'],
    ['  conn a\n', 'ipsec.conf:1:3: "conn" begins a section, which is not indented'],
    ['con a\n  auto=add\n', 'ipsec.conf:1:1: "con" begins no section; did you mean "conn"?'],
    ['config\n', 'ipsec.conf:1:1: "config" begins no section'],
    ['config stup\n  uniqueids=no\n', 'ipsec.conf:1:1: "config stup" begins no section; did you mean "config setup"?'],
    ['conn\n  auto=add\n', 'ipsec.conf:1:1: conn needs a name'],
    ['conn a b\n  auto=ignore\n', 'ipsec.conf:1:8: only the name of the section can follow "conn" on this line'],
    [
      '  auto=add\n  left=%any\n',
      'ipsec.conf:1:3: "auto" belongs to no section: "conn NAME" or "config setup" is missing before it',
    ],
    ['conn a\n  auto add\n', 'ipsec.conf:2:3: "auto" is followed by no "="'],
    ['conn a\n  = add\n', 'ipsec.conf:2:3: a line begins with a name: "name=value"'],
    ['conn a\n  "auto"=add\n', 'ipsec.conf:2:3: a line begins with a name: "name=value"'],
    ['conn a\n  rightid=C=CH, O=x\n', 'ipsec.conf:2:12: a value that contains "=" has to stand in double quotes'],
    ['conn a\n  rightid="C=CH\n', 'ipsec.conf:2:11: this quoted string never ends'],
    ['conn a\n// a comment\n  auto=ignore\n', 'ipsec.conf:2:1: "//" does not begin a comment here; did you mean "#"?'],
    ['conn a // b\n  auto=ignore\n', 'ipsec.conf:1:8: "//" does not begin a comment here; did you mean "#"?'],
    ['conn a\n  auto=\0add\n', 'ipsec.conf:2:8: control character U+0000 in a configuration file'],
  ] as const) {
    assert.equal(only(text), wrong);
  }
});

test('a mistake on one line does not hide that of the next, nor make others', () => {
  assert.deepEqual(
    mistakes(() => read('con a\n  lft=1\nconn b\n  auto add\n  atuo=add\n')),
    [
      'ipsec.conf:1:1: "con" begins no section; did you mean "conn"?',
      'ipsec.conf:4:3: "auto" is followed by no "="',
      'ipsec.conf:5:3: unknown option "atuo"; did you mean "auto"?',
    ],
  );
});

test('two slashes within a word are no comment', () => {
  const { warnings } = read(`ca x\n  crluri=http://crl.example.org/x.crl\nconn a\n  ${BASE}\n  rightid="// x"\n`);
  assert.equal(warnings.length, 1);
});

test('names are names, whatever they are called elsewhere', () => {
  const names = ['__proto__', 'constructor', 'ünïcode', 'a/b', '%x'];
  const text = names.map((name, i) => `conn ${name}\n  ${BASE}\n  right=192.0.2.${i}\n`).join('');
  assert.deepEqual(
    read(text).connections.map(({ name }) => name),
    names,
  );
});
