// Reading from the disk: includes, permissions, encodings, and files that are something else.

import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError } from '../../src/config/error.ts';
import { type LoadOptions, loadConfig } from '../../src/config/load.ts';
import { checkPermissions, type FileFacts } from '../../src/config/permissions.ts';

const root = mkdtempSync(join(tmpdir(), 'espalier-config-'));
after(() => rmSync(root, { recursive: true }));

const CONNECTION = 'connections { NAME { local { auth = psk }\nremote { auth = psk } } }';

function file(name: string, text: string | Uint8Array, mode = 0o600): string {
  const path = join(root, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function failure(paths: readonly string[], options: LoadOptions = {}): string {
  try {
    loadConfig(paths, options);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message.replaceAll(root, '');
  }
  return assert.fail('nothing was wrong');
}

test('a configuration is read with all that it includes', () => {
  mkdirSync(join(root, 'conf.d'));
  file('conf.d/b.conf', CONNECTION.replace('NAME', 'b'));
  file('conf.d/a.conf', CONNECTION.replace('NAME', 'a'));
  file('conf.d/.hidden.conf', 'nonsense');
  file('conf.d/note.txt', 'nonsense');
  file('conf.d/c1.cfg', 'secrets { ike { secret = one } }');
  mkdirSync(join(root, 'conf.d', 'directory.conf'));
  const path = file(
    'gw.conf',
    `${CONNECTION.replace('NAME', 'first')}\ninclude conf.d/*.conf\ninclude conf.?/c[0-9].cfg`,
  );
  const { connections, secrets, warnings, files } = loadConfig([path]);
  assert.deepEqual(
    connections.map(({ name }) => name),
    ['first', 'a', 'b'],
  );
  assert.equal(secrets.length, 1);
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    files.map((name) => name.slice(root.length)),
    ['/gw.conf', '/conf.d/a.conf', '/conf.d/b.conf', '/conf.d/c1.cfg'],
  );
});

test('a file that cannot be read is named', () => {
  assert.equal(failure([join(root, 'gone.conf')]), '/gone.conf: cannot be read: there is no such file');
  assert.equal(failure([root]), ': is not a file');
  const path = file('loop.conf', 'include loop/*.conf');
  symlinkSync('loop', join(root, 'loop'));
  assert.match(failure([path]), /^\/loop\.conf:1:9: \/loop\/\*\.conf cannot be looked up: .*ELOOP/);
});

test("a mistake in an included file has that file's name", () => {
  file('wrong.inc', 'connections {\n c { verson = 2 } }');
  const path = file('right.conf', 'include wrong.inc');
  assert.match(failure([path]), /^\/wrong\.inc:2:6: unknown option "verson"; did you mean "version"\?$/m);
});

test('an included secret that everybody may read is refused, with the command that mends it', () => {
  file('open.secrets', 'secrets {\n ike {\n secret = one } }', 0o644);
  const path = file('main.conf', 'include open.secrets', 0o644);
  const text = 'is open to everybody (mode 0644) but holds a secret (line 3); run: chmod o= /open.secrets';
  assert.equal(failure([path]), `/open.secrets: ${text}`);
  const { warnings, secrets } = loadConfig([path], { loose: true });
  assert.equal(secrets.length, 1);
  assert.equal(warnings[0]?.text.replaceAll(root, ''), text);
});

test('a file without secrets may be read by everybody', () => {
  assert.deepEqual(loadConfig([file('public.conf', 'secrets { }', 0o644)]).secrets, []);
});

test('a link to secrets in a directory that everybody may write to is refused', () => {
  const loose = join(root, 'loose');
  mkdirSync(loose);
  chmodSync(loose, 0o1777);
  const target = file('target.conf', 'secrets { ike { secret = one } }');
  symlinkSync(target, join(loose, 'link.conf'));
  symlinkSync(target, join(root, 'link.conf'));
  assert.match(failure([join(loose, 'link.conf')]), /^\/loose\/link\.conf: is a symbolic link/);
  assert.equal(loadConfig([join(root, 'link.conf')]).secrets.length, 1);
});

test('owners, groups and modes are judged as root and as a user of its own', () => {
  const self = { uid: 990, gid: 980 };
  const place = { file: 'f', line: 7, column: 1 };
  const judge = (facts: Partial<FileFacts>, who = self) => {
    try {
      checkPermissions('f', { mode: 0o100600, uid: 0, gid: 0, looseLink: false, ...facts }, who, place);
      return 'ok';
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.text.split('; run: ')[1];
    }
  };
  const rootSelf = { uid: 0, gid: 0 };
  assert.equal(judge({ mode: 0o100640, gid: 980 }), 'ok', 'root:espalier 0640');
  assert.equal(judge({ uid: 990, gid: 980, mode: 0o100600 }), 'ok', 'its own');
  assert.equal(judge({}, rootSelf), 'ok', 'root:root 0600');
  assert.equal(judge({ mode: 0o100640 }, rootSelf), 'ok', "root's own group");
  assert.equal(judge({ mode: 0o100640, gid: 4 }), 'chmod g= f');
  assert.equal(judge({ mode: 0o100620, gid: 4 }, rootSelf), 'chmod g= f');
  assert.equal(judge({ mode: 0o100604 }), 'chmod o= f');
  assert.equal(judge({ mode: 0o100602 }, rootSelf), 'chmod o= f');
  assert.equal(judge({ uid: 1000 }, rootSelf), 'chown root f');
});

test('who only looks takes the group that root gave the folder to, and the daemon does not', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  const folder = join(root, 'service');
  mkdirSync(folder);
  const path = file('service/gateway.conf', 'secrets { ike { secret = one } }');
  chownSync(folder, 0, 980);
  chownSync(path, 0, 980);
  chmodSync(path, 0o640);
  chmodSync(folder, 0o2750);
  assert.equal(loadConfig([path], { forService: true }).secrets.length, 1);
  assert.throws(() => loadConfig([path]), /is open to group 980 /);
  for (const mode of [0o750, 0o2770, 0o2757]) {
    chmodSync(folder, mode);
    assert.throws(() => loadConfig([path], { forService: true }), /is open to group 980 /, mode.toString(8));
  }
});

test('text in another encoding is a mistake with its place', () => {
  const path = file('latin1.conf', Uint8Array.from([...'# ok\n# gr\xfcn\n'].map((char) => char.charCodeAt(0))));
  assert.equal(failure([path]), '/latin1.conf:2:5: this is not UTF-8 text');
});

test('several files are one configuration', () => {
  const a = file('one.conf', CONNECTION.replace('NAME', 'one'));
  const b = file('two.conf', CONNECTION.replace('NAME', 'two'));
  assert.equal(loadConfig([a, b]).connections.length, 2);
  assert.deepEqual(loadConfig([file('empty.conf', '')]).connections, []);
  assert.deepEqual(loadConfig([]).connections, []);
});

const CONN = 'conn NAME\n  authby=psk\n  auto=add\n  left=192.0.2.1\n  right=198.51.100.1\n';

function names(path: string, options: LoadOptions = {}): readonly string[] {
  return loadConfig([path], options).connections.map(({ name }) => name);
}

test('the language of a file is told by what is in it, not by its name', () => {
  const begins = [
    '',
    '# a comment\n\n',
    '\ufeff\r\n',
    'config setup\n  uniqueids=no\n',
    'config setup # empty\n',
    'version 2.0\n',
    'ca x\n',
    'conn %default\n',
  ];
  begins.forEach((begin, i) => {
    assert.deepEqual(names(file(`swanctl${i}.conf`, `${begin}${CONN.replace('NAME', 'a')}`)), ['a'], begin);
  });
  assert.deepEqual(names(file('ipsec.conf', `conn { x = 1 }\n${CONNECTION.replace('NAME', 'b')}`)), ['b']);
  assert.match(
    failure([file('slashed.conf', '// note\nconn a // note\n  auto=ignore\n')]),
    /:1:1: "\/\/" does not begin/,
  );
  assert.match(failure([file('indented.conf', '  conn a\n')]), /:1:3: "conn" begins a section, which is not indented/);
});

test('a file that only includes others is written as they are, and they are found from where it lies', () => {
  mkdirSync(join(root, 'd'));
  file('d/none.conf', '# nothing\n');
  file('d/conns.conf', CONN.replace('NAME', 'in-d'));
  file('d/tunnels.cfg', CONNECTION.replace('NAME', 'in-cfg'));
  assert.deepEqual(names(file('a.conf', 'include d/none.conf\ninclude d/con*.conf\n')), ['in-d']);
  assert.deepEqual(names(file('b.conf', 'include d/gone*.conf\ninclude d/*.cfg\n')), ['in-cfg']);
  assert.match(failure([file('c.conf', 'include d/gone.conf\n')]), /^\/c\.conf:1:9: there is no file \/d\/gone\.conf$/);
  const before = process.cwd();
  process.chdir(root);
  try {
    assert.deepEqual(names('a.conf'), ['in-d']);
    assert.deepEqual(names('b.conf'), ['in-cfg']);
  } finally {
    process.chdir(before);
  }
});

test('both languages together are one configuration, in which a name is there once', () => {
  const swanctl = file('both.swanctl', `${CONNECTION.replace('NAME', 'one')}\n`);
  const ipsec = file('both.ipsec', `${CONN.replace('NAME', 'two')}${CONN.replace('NAME', 'three')}`);
  const { connections } = loadConfig([ipsec, swanctl]);
  assert.deepEqual(
    connections.map(({ name, children }) => [name, children.map((child) => child.name)]),
    [
      ['one', []],
      ['two', ['two', 'three']],
    ],
  );
  const twin = file('twin.swanctl', CONNECTION.replace('NAME', 'three'));
  assert.equal(failure([ipsec, twin]), '/both.ipsec:6:1: there is another connection "three" in /twin.swanctl:1');
});

test('mistakes in both languages are told at once', () => {
  const swanctl = file('wrong.swanctl', CONNECTION.replace('NAME', 'one').replace('auth', 'aut'));
  const text = failure([swanctl, file('wrong.ipsec', `${CONN.replace('NAME', 'two')}  lft=1\n`)]);
  assert.match(text, /^\/wrong\.ipsec:6:3: unknown option "lft"/m);
  assert.match(text, /^\/wrong\.swanctl:1:/m);
  assert.match(
    failure([file('braces.swanctl', 'a {'), file('more.ipsec', 'conn a b\n')]),
    /never ends[\s\S]*only the name of the section/,
  );
});

test('secrets come from the ipsec.secrets beside an ipsec.conf, or from the file that is named', () => {
  for (const folder of ['with', 'without']) mkdirSync(join(root, folder));
  const conf = file('with/ipsec.conf', CONN.replace('NAME', 'a'));
  const beside = file('with/ipsec.secrets', '192.0.2.1 198.51.100.1 : PSK one\ninclude more.secrets\n');
  const more = file('with/more.secrets', ': PSK two\n');
  const found = loadConfig([conf]);
  assert.equal(found.secrets.length, 2);
  assert.deepEqual(found.files, [conf, beside, more]);
  assert.deepEqual(loadConfig([file('without/ipsec.conf', CONN)]).secrets, []);
  const elsewhere = file('elsewhere.secrets', ': PSK three\n');
  assert.equal(loadConfig([conf], { secrets: elsewhere }).secrets.length, 1);
  assert.equal(loadConfig([file('plain.conf', CONNECTION)], { secrets: elsewhere }).secrets.length, 1);
  assert.match(
    failure([conf], { secrets: join(root, 'gone.secrets') }),
    /^\/gone\.secrets: cannot be read: there is no such/,
  );
});

test('an ipsec.secrets that others may read is refused, an included one too', () => {
  const path = file('loose.secrets', 'include loose.inc\n', 0o644);
  file('loose.inc', '\n: PSK horse\n', 0o644);
  const text = 'is open to everybody (mode 0644) but holds a secret (line 2); run: chmod o= /loose.inc';
  assert.equal(failure([], { secrets: path }), `/loose.inc: ${text}`);
  assert.equal(loadConfig([], { secrets: path, loose: true }).secrets.length, 1);
});

test('which end of a conn is ours is told by the addresses of this host', () => {
  const path = file('ends.conf', CONN.replace('NAME', 'a').replace('198.51.100.1', '127.0.0.1'));
  const [connection] = loadConfig([path]).connections;
  assert.equal(connection?.where.get('local_addrs')?.option, 'right', '127.0.0.1 is everywhere');
  assert.equal(loadConfig([path], { ownAddresses: [] }).connections[0]?.where.get('local_addrs')?.option, 'left');
});
