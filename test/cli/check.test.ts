import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { folder } from '../daemon/control/fake.ts';
import { espalier } from './terminal.ts';

function written(t: TestContext, text: string): string {
  const file = join(folder(t), 'swanctl.conf');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

const GOOD = `connections {
  office {
    version = 1
    remote_addrs = 192.0.2.2
    proposals = 3des-md5-modp1024
    local {
      auth = psk
    }
    remote {
      auth = psk
    }
    children {
      net {
        remote_ts = 10.2.0.0/24
      }
    }
  }
}
secrets {
  ike-office {
    secret = "vFq8Zt2LrWm5XcJ9hPb4nGd7"
  }
}
`;

test('check says what is configured, and warns of what is weak', async (t) => {
  const file = written(t, GOOD);
  const { code, out, err } = await espalier(['check', '--config', file]);
  assert.deepEqual([code, err], [0, '']);
  assert.match(
    out,
    new RegExp(`^warning: ${file}:5:5: connection office offers weak algorithms: 3DES_CBC, .*MODP_1024$`, 'm'),
  );
  assert.match(out, new RegExp(`^read ${file}$`, 'm'));
  assert.match(out, /^connection office: IKEv1; net$/m);
  assert.match(out, /^1 connection, 1 secret, 1 warning$/m);
  assert.doesNotMatch(out, /vFq8Zt2L/);
});

test('check names every mistake with its place and exit code 2', async (t) => {
  const file = written(t, GOOD.replace('remote_addrs', 'remote_adrs').replace('version = 1', 'version = 3'));
  const { code, out, err } = await espalier(['check', '--config', file]);
  assert.deepEqual([code, out], [2, '']);
  const lines = err.split('\n');
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', new RegExp(`^${file}:3:15: `));
  assert.match(lines[1] ?? '', new RegExp(`^${file}:4:5: .*did you mean "remote_addrs"`));
  const { code: again, out: json } = await espalier(['check', '--json', '--config', file]);
  const { ok, errors } = JSON.parse(json);
  assert.deepEqual([again, ok, errors.length], [2, false, 2]);
  assert.deepEqual([errors[1].file, errors[1].line, errors[1].column, errors[1].near[0]], [file, 4, 5, 'remote_addrs']);
});

test('check --json has connections, children, warnings and files, and no secret', async (t) => {
  const file = written(t, GOOD);
  const { code, out } = await espalier(['check', '--json', '--config', file]);
  const { ok, files, connections, secrets, warnings } = JSON.parse(out);
  assert.deepEqual([code, ok, files, secrets], [0, true, [file], 1]);
  assert.deepEqual(connections, [{ name: 'office', version: 1, children: ['net'] }]);
  assert.equal(warnings[0].line, 5);
  assert.doesNotMatch(out, /vFq8Zt2L/);
});

test('what the linter finds comes with its code and a remedy; an error ends with exit code 2, a warning does not', async (t) => {
  const file = written(t, GOOD.replace('"vFq8Zt2LrWm5XcJ9hPb4nGd7"', 'Test@123'));
  const { code, out } = await espalier(['check', '--config', file]);
  assert.equal(code, 2);
  assert.match(
    out,
    new RegExp(`^error: ${file}:21:5: the secret for anybody is one of those that are tried first$`, 'm'),
  );
  assert.match(out, /^ {2}psk-common: make a new one .*openssl rand -base64 33$/m);
  assert.match(out, /^1 connection, 1 secret, 1 error, 1 warning$/m);
  assert.doesNotMatch(out, /Test@123/);
  const { code: again, out: json } = await espalier(['check', '--json', '--config', file]);
  const { ok, errors, warnings, notes } = JSON.parse(json);
  assert.deepEqual([again, ok, warnings.length, notes], [2, false, 1, []]);
  const { text, remedy, ...rest } = errors[0];
  assert.deepEqual(rest, { code: 'psk-common', severity: 'error', file, line: 21, column: 5 });
  assert.ok(text.length > 0 && remedy.length > 0);
});

test('check --profile adds what the platform at the other end asks for', async (t) => {
  const file = written(t, GOOD.replace('version = 1', 'version = 2'));
  const { code, out } = await espalier(['check', '--config', file, '--profile', 'tencent']);
  assert.equal(code, 2);
  assert.match(out, new RegExp(`^error: ${file}:3:5: Tencent speaks IKEv1 only, and connection office IKEv2$`, 'm'));
  assert.doesNotMatch((await espalier(['check', '--config', file])).out, /Tencent/);
  const { code: wrong, err } = await espalier(['check', '--config', file, '--profile', 'tencant']);
  assert.equal(wrong, 2);
  assert.match(err, /profile.*huawei.*huawei-classic.*tencent.*ucloud.*jd.*aws/s);
});

test('what has no effect is among the warnings', async (t) => {
  const file = written(t, GOOD.replace('proposals =', 'mobike = yes\n    proposals ='));
  const { code, out } = await espalier(['check', '--json', '--config', file]);
  const [first] = JSON.parse(out).warnings;
  assert.equal(code, 0);
  assert.deepEqual([first.code, first.severity, first.line], ['option', 'warning', 5]);
});

test('an empty file is a configuration, and one that is not there is none', async (t) => {
  const file = written(t, '');
  const { code, out } = await espalier(['check', '--config', file]);
  assert.deepEqual([code, out], [0, `read ${file}\nno connections, no secrets, no warnings`]);
  const missing = await espalier(['check', '--config', `${file}.none`]);
  assert.equal(missing.code, 2);
  assert.match(missing.err, /swanctl\.conf\.none: .*no such file/i);
});

test('check reads an ipsec.conf with its secrets', async (t) => {
  const conf = join(folder(t), 'ipsec.conf');
  const secrets = join(folder(t), 'x.secrets');
  writeFileSync(conf, 'conn office\n  authby=psk\n  auto=start\n  right=203.0.113.2\n  ike=3des-md5-modp1024!\n');
  writeFileSync(secrets, ': PSK "a shared word of some length"\n', { mode: 0o600 });
  const { code, out, err } = await espalier(['check', '--config', conf, '--secrets', secrets]);
  assert.deepEqual([code, err], [0, '']);
  assert.match(
    out,
    new RegExp(`^warning: ${conf}:5:3: connection office offers weak algorithms: 3DES_CBC, .*MODP_1024$`, 'm'),
  );
  assert.match(out, new RegExp(`^read ${secrets}$`, 'm'));
  assert.match(out, /^connection office: IKEv2, and peers of IKEv1; office$/m);
  assert.match(out, /^1 connection, 1 secret, 1 warning$/m);
  const wrong = await espalier(['check', '--config', conf, '--secrets', `${secrets}.gone`]);
  assert.deepEqual([wrong.code, wrong.out], [2, '']);
  assert.match(wrong.err, /x\.secrets\.gone: cannot be read/);
});

test('check --options counts what each language has, and names it with --json', async () => {
  const { code, out } = await espalier(['check', '--options']);
  assert.equal(code, 0);
  const [heads, ...rows] = out.split('\n');
  assert.match(heads ?? '', /^LANGUAGE +IMPLEMENTED +ACCEPTED WITH A WARNING +REFUSED BY NAME$/);
  assert.deepEqual(
    rows.map((row) => row.replace(/ +\d+/g, ' N')),
    ['swanctl.conf N N N', 'ipsec.conf N N N', 'ipsec.secrets N N N'],
  );
  const [, ipsec] = JSON.parse((await espalier(['check', '--options', '--json'])).out);
  assert.equal(ipsec.options.length, ipsec.implemented + ipsec.accepted + ipsec.refused);
  const pfs = ipsec.options.find(({ name }: { readonly name: string }) => name === 'conn.pfs');
  assert.deepEqual([pfs.status, pfs.reason], ['accepted', 'a group in esp= decides about PFS']);
  assert.match(rows[1] ?? '', new RegExp(` ${ipsec.implemented} +${ipsec.accepted} +${ipsec.refused}$`));
});

const unconfigured = !['ipsec.conf', 'swanctl.conf'].some((name) => existsSync(join('/etc/espalier', name)));

test('check without files says where it looked', { skip: !unconfigured && 'this host is configured' }, async () => {
  const { code, out } = await espalier(['check']);
  assert.equal(code, 0);
  assert.match(
    out,
    /^there is no configuration, neither \/etc\/espalier\/ipsec\.conf nor \/etc\/espalier\/swanctl\.conf: /,
  );
});
