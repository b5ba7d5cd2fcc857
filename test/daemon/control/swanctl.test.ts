// The stock swanctl of strongSwan as client of our control socket. What it prints for charon 5.9.8 is the measure.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacking } from '../../support/needs.ts';
import { line, OK, REFUSED, SESSION, stage } from './fake.ts';
import { swanctl } from './stock.ts';

const skip = lacking('swanctl');

test('swanctl --version --daemon prints our version', { skip }, async (t) => {
  const { uri } = await stage(t);
  const { code, stdout } = await swanctl(uri, '--version', '--daemon');
  assert.equal(code, 0);
  assert.match(stdout, /^strongSwan 1\.2\.3 espalier \(Linux, /);
});

test('swanctl --list-sas prints what it prints for charon', { skip }, async (t) => {
  const { uri } = await stage(t);
  const { code, stdout } = await swanctl(uri, '--list-sas');
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `gw: #1, ESTABLISHED, IKEv2, 4c41492227ff53fa_i* 71c110f4415903cc_r
  local  'gw1.pf.test' @ 10.71.0.1[4500]
  remote 'gw2.pf.test' @ 10.71.0.2[4500]
  AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048
  established 1s ago, rekeying in 13813s
  net: #1, reqid 1, INSTALLED, TUNNEL-in-UDP, ESP:AES_CBC-128/HMAC_SHA2_256_128
    installed 1s ago, rekeying in 13634s, expires in 15839s
    in  c560316d,    168 bytes,     2 packets,     0s ago
    out 4558aff3,    168 bytes,     2 packets,     0s ago
    local  10.71.1.0/24
    remote 10.71.2.0/24
`,
  );
});

test('swanctl --list-sas --raw prints what it prints for charon', { skip }, async (t) => {
  const { uri } = await stage(t);
  const { code, stdout } = await swanctl(uri, '--list-sas', '--raw');
  assert.equal(code, 0);
  assert.equal(
    stdout,
    'list-sa event {gw {uniqueid=1 version=2 state=ESTABLISHED local-host=10.71.0.1 local-port=4500 ' +
      'local-id=gw1.pf.test remote-host=10.71.0.2 remote-port=4500 remote-id=gw2.pf.test initiator=yes ' +
      'initiator-spi=4c41492227ff53fa responder-spi=71c110f4415903cc nat-remote=yes nat-any=yes encr-alg=AES_CBC ' +
      'encr-keysize=128 integ-alg=HMAC_SHA2_256_128 prf-alg=PRF_HMAC_SHA2_256 dh-group=MODP_2048 established=1 ' +
      'rekey-time=13813 child-sas {net-1 {name=net uniqueid=1 reqid=1 state=INSTALLED mode=TUNNEL protocol=ESP ' +
      'encap=yes spi-in=c560316d spi-out=4558aff3 encr-alg=AES_CBC encr-keysize=128 integ-alg=HMAC_SHA2_256_128 ' +
      'bytes-in=168 packets-in=2 use-in=0 bytes-out=168 packets-out=2 use-out=0 rekey-time=13634 life-time=15839 ' +
      'install-time=1 local-ts=[10.71.1.0/24] remote-ts=[10.71.2.0/24]}}}}\n' +
      'list-sas reply {}\n',
  );
});

test('swanctl --list-sas selects by name and by id', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.running = [SESSION, { ...SESSION, id: 2, conn: 'branch', children: [] }];
  assert.match((await swanctl(uri, '--list-sas', '--ike', 'branch')).stdout, /^branch: #2,/);
  assert.match((await swanctl(uri, '--list-sas', '--child-id', '1')).stdout, /^gw: #1,/);
  assert.equal((await swanctl(uri, '--list-sas', '--ike', 'x', '--noblock')).stdout, '');
});

test('swanctl --initiate shows the progress and succeeds', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.initiating = async (_, tell) => {
    tell(line('initiating IKE_SA gw[1] to 10.71.0.2'));
    return { ok: true, reason: OK };
  };
  const done = await swanctl(uri, '--initiate', '--child', 'net', '--timeout', '20');
  assert.deepEqual(done, {
    code: 0,
    stdout: '[IKE] initiating IKE_SA gw[1] to 10.71.0.2\ninitiate completed successfully\n',
    stderr: '',
  });
  assert.deepEqual(gateway.asked, [{ initiate: { child: 'net' }, timeout: 20_000 }]);
});

test('swanctl --initiate fails with our reason', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.initiating = async () => ({ ok: false, reason: REFUSED });
  const done = await swanctl(uri, '--initiate', '--child', 'net');
  assert.deepEqual(done, { code: 1, stdout: '', stderr: `initiate failed: ${REFUSED.text}\n` });
  const raw = await swanctl(uri, '--initiate', '--child', 'net', '--raw');
  assert.equal(raw.stdout, `initiate reply {success=no errmsg=${REFUSED.text}}\n`);
});

test('swanctl --terminate and --rekey tell what was done', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  const raw = await swanctl(uri, '--terminate', '--ike', 'gw', '--raw');
  assert.deepEqual(raw, { code: 0, stdout: 'terminate reply {success=yes matches=1 terminated=1}\n', stderr: '' });
  gateway.terminating = async () => ({ ok: false, reason: OK, matches: 0, terminated: 0 });
  const none = await swanctl(uri, '--terminate', '--child', 'nope');
  assert.deepEqual(none, {
    code: 1,
    stdout: '',
    stderr: 'terminate failed: no matching SAs to terminate found\n',
  });
  const rekeyed = await swanctl(uri, '--rekey', '--ike', 'gw');
  assert.deepEqual(rekeyed, { code: 0, stdout: 'rekey completed successfully\n', stderr: '' });
});

test('swanctl --rekey by ids, and as reauthentication', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  await swanctl(uri, '--rekey', '--ike', 'gw', '--reauth');
  await swanctl(uri, '--rekey', '--ike-id', '1');
  await swanctl(uri, '--rekey', '--child-id', '7');
  assert.deepEqual(gateway.asked, [
    { rekey: { ike: 'gw' }, reauth: true },
    { rekey: { ikeId: 1 } },
    { rekey: { childId: 7 } },
  ]);
});

test('swanctl --install and --uninstall set and take traps', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  const done = await swanctl(uri, '--install', '--child', 'net', '--ike', 'gw');
  assert.deepEqual(done, { code: 0, stdout: 'install completed successfully\n', stderr: '' });
  const undone = await swanctl(uri, '--uninstall', '--child', 'net');
  assert.deepEqual(undone, { code: 0, stdout: 'uninstall completed successfully\n', stderr: '' });
  assert.deepEqual(gateway.asked, [{ install: { ike: 'gw', child: 'net' } }, { uninstall: { child: 'net' } }]);
});

test('swanctl --redirect is refused by name', { skip }, async (t) => {
  const { uri } = await stage(t);
  const done = await swanctl(uri, '--redirect', '--ike', 'gw', '--gateway', '192.0.2.9');
  assert.equal(done.code, 1);
  assert.equal(done.stderr, 'redirect failed: redirecting peers (RFC 5685) is not supported\n');
});
