// `swanctl --monitor-sa` and `--log`: what happens, as it happens.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacking } from '../../support/needs.ts';
import { NET, SESSION, type Stage, stage } from './fake.ts';
import { swanctl, watching } from './stock.ts';

const skip = lacking('swanctl');

/** Until swanctl has registered: how fast it starts is its own affair. */
async function heard(stage: Stage, set: 'watching' | 'following'): Promise<void> {
  const size = () => (set === 'watching' ? stage.gateway.watching.size : stage.log.following.size);
  while (size() === 0) await swanctl(stage.uri, '--version', '--daemon');
}

test('swanctl --monitor-sa prints SAs that come and go', { skip }, async (t) => {
  const staged = await stage(t);
  const monitor = watching(t, staged.uri, '--monitor-sa');
  await heard(staged, 'watching');
  staged.gateway.tell({ kind: 'child-updown', up: true, session: SESSION, child: NET });
  const printed = await monitor.printed(/remote 10\.71\.2\.0\/24/);
  assert.match(printed, /^gw: #1, ESTABLISHED, IKEv2, 4c41492227ff53fa_i\* 71c110f4415903cc_r\n/);
  assert.match(printed, /\n {2}net: #1, reqid 1, INSTALLED, TUNNEL-in-UDP, ESP:AES_CBC-128\/HMAC_SHA2_256_128\n/);
});

test('swanctl --monitor-sa --raw prints what it prints for charon', { skip }, async (t) => {
  const staged = await stage(t);
  const monitor = watching(t, staged.uri, '--monitor-sa', '--raw');
  await heard(staged, 'watching');
  const down = { ...SESSION, state: 'DELETING' as const, children: [] };
  staged.gateway.tell({ kind: 'ike-updown', up: true, session: SESSION });
  staged.gateway.tell({ kind: 'ike-updown', up: false, session: down });
  const printed = await monitor.printed(/DELETING.*\n/);
  const ike =
    'local-host=10.71.0.1 local-port=4500 local-id=gw1.pf.test remote-host=10.71.0.2 remote-port=4500 ' +
    'remote-id=gw2.pf.test initiator=yes initiator-spi=4c41492227ff53fa responder-spi=71c110f4415903cc nat-remote=yes ' +
    'nat-any=yes encr-alg=AES_CBC encr-keysize=128 integ-alg=HMAC_SHA2_256_128 prf-alg=PRF_HMAC_SHA2_256 dh-group=MODP_2048';
  assert.deepEqual(printed.trimEnd().split('\n'), [
    `ike-updown event {up=yes gw {uniqueid=1 version=2 state=ESTABLISHED ${ike} established=1 rekey-time=13813}}`,
    `ike-updown event {gw {uniqueid=1 version=2 state=DELETING ${ike}}}`,
  ]);
});

test('swanctl --log prints log lines', { skip }, async (t) => {
  const staged = await stage(t);
  const log = watching(t, staged.uri, '--log');
  await heard(staged, 'following');
  const line = { level: 1, group: 'IKE', text: 'IKE SA established', session: 7, conn: 'gw' };
  staged.log.write(line);
  staged.log.write({ ...line, group: 'DMN', text: 'stopping on SIGTERM', session: undefined, conn: undefined });
  const printed = await log.printed(/stopping.*\n/);
  assert.equal(printed, '00[IKE] IKE SA established\n00[DMN] stopping on SIGTERM\n');
});
