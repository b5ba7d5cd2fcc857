// The settings grammar: what strongswan.conf(5) of strongSwan 5.9.8 and 6.0 describes, and its lexer's finer points.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, Findings } from '../../src/config/error.ts';
import type { Files } from '../../src/config/files.ts';
import { inherit, templates } from '../../src/config/inherit.ts';
import { parseSettings, type Section } from '../../src/config/settings.ts';

function parse(text: string, files?: Files): Section {
  return parseSettings([{ path: '/etc/gw.conf', text }], files);
}

/** Sections as nested arrays: [key, value] and [name, [...]]. */
function plain(section: Section): unknown[] {
  return [
    ...[...section.settings].map(([key, { text }]) => [key, text]),
    ...[...section.sections].map(([name, inner]) => [name, plain(inner)]),
  ];
}

function resolved(text: string): unknown[] {
  const findings = new Findings();
  const root = inherit(parse(text), findings);
  findings.done();
  return plain(root);
}

function memory(texts: Readonly<Record<string, string>>): Files {
  const map = new Map(Object.entries(texts));
  return {
    match: (pattern) => {
      const source = pattern.replaceAll('.', '\\.').replaceAll('*', '[^/]*');
      return [...map.keys()].filter((path) => new RegExp(`^${source}$`).test(path)).sort();
    },
    read: (path) => map.get(path) ?? '',
  };
}

function failure(text: string, files?: Files): string {
  try {
    parse(text, files);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  return assert.fail('nothing was wrong');
}

test('sections, settings and comments are read as the manual shows them', () => {
  const text = `
    a = b
    section-one {
      somevalue = asdf
      subsection {
        othervalue = xxx
      }
      # yei, a comment
      yetanother = zz
    }
    section-two {
      x = 12
    }`;
  assert.deepEqual(plain(parse(text)), [
    ['a', 'b'],
    [
      'section-one',
      [
        ['somevalue', 'asdf'],
        ['yetanother', 'zz'],
        ['subsection', [['othervalue', 'xxx']]],
      ],
    ],
    ['section-two', [['x', '12']]],
  ]);
});

test('a section may stand on one line, and its brace on the next', () => {
  assert.deepEqual(plain(parse('a { b { c = d } }\ne\n{\n f=g\n}')), [
    ['a', [['b', [['c', 'd']]]]],
    ['e', [['f', 'g']]],
  ]);
});

test('a value ends with its line, a comment or the brace of its section', () => {
  const text = 'local { auth = psk\n id = a.example }\nx = one   two # three\ny = a=b{c:d,e.f\nz = p#q';
  assert.deepEqual(plain(parse(text)), [
    ['x', 'one two'],
    ['y', 'a=b{c:d,e.f'],
    ['z', 'p'],
    [
      'local',
      [
        ['auth', 'psk'],
        ['id', 'a.example'],
      ],
    ],
  ]);
});

test('quotes keep spaces, braces and comment signs, and know escapes', () => {
  const text = `a = "x  # } \\" \\\\ \\t \\n \\q" y\nb = "one\ntwo\\\nthree"\nc = ""`;
  assert.deepEqual(plain(parse(text)), [
    ['a', 'x  # } " \\ \t \n q y'],
    ['b', 'one\ntwothree'],
    ['c', ''],
  ]);
});

test('a later definition extends an earlier one and replaces its values', () => {
  assert.deepEqual(plain(parse('s { a = 1\n b = 2\n}\ns { b = 3\n t { c = 4 } }')), [
    [
      's',
      [
        ['a', '1'],
        ['b', '3'],
        ['t', [['c', '4']]],
      ],
    ],
  ]);
});

test('a key without a value takes an earlier value away', () => {
  assert.deepEqual(resolved('s { a = 1\n b = 2\n}\ns { a =\n}'), [['s', [['b', '2']]]]);
});

test('every key and value has its line and column, with CRLF, tabs and a byte order mark too', () => {
  const root = parse('\ufeff# first\r\nconn {\r\n\tkey = "the value"\r\n}\r\n');
  const section = root.sections.get('conn');
  assert.deepEqual(section?.place, { file: '/etc/gw.conf', line: 2, column: 1 });
  const setting = section?.settings.get('key');
  assert.equal(setting?.text, 'the value');
  assert.deepEqual(setting?.key, { file: '/etc/gw.conf', line: 3, column: 2 });
  assert.deepEqual(setting?.place, { file: '/etc/gw.conf', line: 3, column: 9 });
});

test('names that JavaScript objects have are names like others', () => {
  const root = parse('__proto__ { constructor = 1\n toString { hasOwnProperty = 2 } }\nprototype = 3');
  assert.equal(root.sections.get('__proto__')?.settings.get('constructor')?.text, '1');
  assert.equal(root.sections.get('toString'), undefined);
  assert.deepEqual(Object.keys(Object.prototype), []);
});

test('an include adds to the section it stands in, relative to its own file', () => {
  const files = memory({
    '/etc/conf.d/b.conf': 'y = 2\nsub { z = 3 }',
    '/etc/conf.d/a.conf': 'x = 1\nx2 = 2\ninclude deeper/c.conf',
    '/etc/conf.d/deeper/c.conf': 'w = 4',
  });
  assert.deepEqual(
    plain(parse('s {\n x2 = before\n include conf.d/*.conf # all\n y = after\n}\ninclude no/*.conf', files)),
    [
      [
        's',
        [
          ['x2', '2'],
          ['x', '1'],
          ['w', '4'],
          ['y', 'after'],
          ['sub', [['z', '3']]],
        ],
      ],
    ],
  );
});

test('include is a key where a value follows, and takes quoted and escaped names', () => {
  const files = memory({ '/etc/a b.conf': 'p = 1', '/etc/c#d.conf': 'q = 2' });
  assert.deepEqual(
    plain(parse('include = 5\ninclude "a b.conf"\ninclude c\\#d.conf\ns { include /etc/a\\ b.conf }', files)),
    [
      ['include', '5'],
      ['p', '1'],
      ['q', '2'],
      ['s', [['p', '1']]],
    ],
  );
});

test('includes that lead back to themselves, or nowhere, are mistakes of the include', () => {
  const files = memory({ '/etc/a.conf': 'include b.conf', '/etc/b.conf': '\n include a.conf' });
  const message = failure('include a.conf', files);
  const round = '/etc/gw.conf → /etc/a.conf → /etc/b.conf → /etc/a.conf';
  assert.equal(message, `/etc/b.conf:2:10: files include each other in a circle: ${round}`);
  assert.equal(failure('s { include gone.conf }'), '/etc/gw.conf:1:13: there is no file /etc/gone.conf');
});

test('a file that includes too many others is stopped', () => {
  const texts: Record<string, string> = {};
  for (let i = 0; i < 12; i++) texts[`/etc/${i}.conf`] = `include ${i + 1}.conf\n`.repeat(4);
  texts['/etc/12.conf'] = '';
  assert.match(failure('include 0.conf', memory(texts)), /more than 1000 configuration files/);
});

test('a section inherits what it has not itself, from several others and through its subsections', () => {
  const text = `
    conn-defaults { version = 2\n dpd_delay = 30s\n remote { auth = psk\n id = a } }
    child-defaults { rekey_time = 1h\n mode = tunnel }
    connections {
      b : connections.a { dpd_delay = 10s }
      a : conn-defaults {
        remote { id = b }
        version =
        children { net : child-defaults, missing-nothing.inner { mode = other } }
      }
    }
    missing-nothing { inner { mode = hidden\n start = yes } }`;
  const a = [
    [
      'remote',
      [
        ['id', 'b'],
        ['auth', 'psk'],
      ],
    ],
    [
      'children',
      [
        [
          'net',
          [
            ['mode', 'other'],
            ['rekey_time', '1h'],
            ['start', 'yes'],
          ],
        ],
      ],
    ],
  ];
  const root = new Map(resolved(text) as [string, unknown][]);
  assert.deepEqual(root.get('connections'), [
    ['b', [['dpd_delay', '10s'], ...a]],
    ['a', [['dpd_delay', '30s'], ...a]],
  ]);
  assert.deepEqual([...templates(parse(text))].sort(), [
    'child-defaults',
    'conn-defaults',
    'connections',
    'missing-nothing',
  ]);
});

test('a reference to nothing names the nearest section, and circles are found', () => {
  assert.throws(() => resolved('defaults { }\ns : default, defaults { }'), {
    message: '/etc/gw.conf:2:5: there is no section "default"; did you mean "defaults"?',
  });
  assert.throws(() => resolved('a : b { }\nb : a { }'), /circle/);
  assert.throws(() => resolved('a { x : a { } }'), /gw\.conf:1:9: sections refer to each other in a circle/);
});

test('references that multiply are stopped', () => {
  let text = 's0 { x = 1 }\n';
  for (let i = 1; i < 40; i++) text += `s${i} { a : s${i - 1} { }\n b : s${i - 1} { } }\n`;
  assert.throws(() => resolved(text), /references make too many sections/);
  let chain = 's0 { x = 1 }\n';
  for (let i = 1; i < 20_000; i++) chain += `s${i} : s${i - 1} { }\n`;
  assert.throws(() => resolved(chain), /too many references one after the other/);
});

test('broken syntax is reported where it begins', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['a {\n b {\n }\n', '1:1: this section never ends: "}" is missing'],
    [
      'a {\n b {\n x = 1\n c {\n }\n}\n',
      '1:1: this section never ends: "}" is missing; by the indentation, that of the section in line 2',
    ],
    ['a { }\n }', '2:2: "}" without a section to end'],
    ['a {\n x = "never\nends', '2:6: this quoted string never ends'],
    ['a {\n x = "never\\', '2:6: this quoted string never ends'],
    ['a\n b = c', '1:1: this name is followed by neither "=" nor "{"'],
    ['  lonely', '1:3: this name is followed by neither "=" nor "{"'],
    ['a.b = c', '1:2: a name cannot contain "."; write sections one inside the other'],
    ['a { = c }', '1:5: a name is missing before "="'],
    ['a { "b" = c }', '1:5: a quoted string can only be a value: "key = " is missing before it'],
    ['a : { }', '1:5: the name of a section is missing'],
    ['a : b c { }', '1:7: "," or "{" is missing after the name of a section'],
    ['a = 1\nb = x\0y', '2:6: control character U+0000 in a configuration file'],
    ['a = \u001b[31m', '1:5: control character U+001B in a configuration file'],
    ['include ""', '1:9: include needs a file name or a pattern'],
    ['a { '.repeat(40), '1:129: sections nested deeper than 32'],
  ];
  for (const [text, expected] of cases) assert.equal(failure(text), `/etc/gw.conf:${expected}`);
});
