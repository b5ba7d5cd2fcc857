// Reading from the disk: includes, permissions, encodings, and files that are something else.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError } from '../../src/config/error.ts';
import { loadConfig, looksLikeIpsecConf } from '../../src/config/load.ts';
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

function failure(paths: readonly string[]): string {
  try {
    loadConfig(paths);
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

test('an ipsec.conf is recognised, and said not to be read yet', () => {
  const path = file('ipsec.conf', '# /etc/ipsec.conf\n\nconfig setup\n  charondebug="ike 2"\nconn a\n  left=1.2.3.4\n');
  assert.match(failure([path]), /^\/ipsec\.conf:3:1: this is an ipsec\.conf, which is not read yet/);
  assert.deepEqual(looksLikeIpsecConf('conn %default\n ike=aes128'), { line: 1 });
  assert.equal(looksLikeIpsecConf('conn { x = 1 }'), undefined);
  assert.equal(looksLikeIpsecConf('version = 2'), undefined);
  assert.equal(looksLikeIpsecConf(''), undefined);
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
