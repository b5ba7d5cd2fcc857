// What a scanner sees: ike-scan asks for one transform at a time, in main mode and in aggressive mode.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Espalier, type LogLine } from '../support/espalier.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { B, inSites } from '../support/sites.ts';
import { ID, type Plan, swanctlConf } from './plan.ts';

const skip = lacking(...NETWORK, 'tun', 'ike-scan', 'espalier');

const plan: Plan = { a: 'espalier', b: 'espalier', version: 1, ike: 'aes256-sha256-modp2048, 3des-sha1-modp1024' };

/** Encryption, key length, hash, authentication and group by number (RFC 2409 appendix A). */
const AES = '--trans=(1=7,14=256,2=4,3=1,4=14)';
const TRIPLE = '--trans=(1=5,2=2,3=1,4=2)';
const DES = '--trans=(1=1,2=1,3=1,4=1)';

type Scan = (...args: readonly string[]) => Promise<string>;

/** The daemon at b, with nobody but a scanner in front of it. */
async function scanned(conn: string, work: (scan: Scan, daemon: Espalier) => Promise<void>): Promise<void> {
  await inSites(async (net) => {
    const daemon = await Espalier.start(net.topology, net.gwb, { conf: swanctlConf({ ...plan, conn }, 'b') });
    const flags = ['--nodns', '--retry=2', '--multiline'];
    await work((...args) => net.gwa.must('ike-scan', [...flags, ...args, B.outside]), daemon);
  });
}

function aggressive(name: string, group: number, trans: string): readonly string[] {
  return ['--aggressive', `--id=${name}`, '--idtype=2', `--dhgroup=${group}`, trans];
}

/** What a refusal says to who has to mend it. */
async function said(daemon: Espalier, reason: string): Promise<{ readonly text: string; readonly remedy: string }> {
  const line: LogLine = await daemon.line(reason, (one) => one.event === 'note' && one.reason === reason);
  daemon.lines.splice(0, daemon.lines.length);
  return { text: String(line.msg), remedy: String(line.remedy) };
}

test('main mode takes a transform that is configured, and ike-scan knows what we are able to do', { skip }, () =>
  scanned('', async (scan) => {
    const first = await scan(AES);
    assert.match(first, /Main Mode Handshake returned/);
    assert.match(first, /SA=\(Enc=AES KeyLength=256 Hash=SHA2-256 Auth=PSK Group=14:modp2048\)/);
    assert.match(first, /\(Dead Peer Detection v1\.0\)/);
    assert.match(first, /\(RFC 3947 NAT-T\)/);
    assert.match(first, /\(IKE Fragmentation\)/);
    assert.match(await scan(TRIPLE), /SA=\(Enc=3DES Hash=SHA1 Auth=PSK Group=2:modp1024\)/);
  }),
);

test('of many transforms the one that we want most is taken, and comes back as it was sent', { skip }, () =>
  scanned('', async (scan) => {
    assert.match(await scan(DES, TRIPLE, AES), /SA=\(Enc=AES KeyLength=256 Hash=SHA2-256 Auth=PSK Group=14:modp2048\)/);
    // Eight transforms of its own, with a lifetime in four bytes.
    assert.match(
      await scan(),
      /Enc=3DES Hash=SHA1 Auth=PSK Group=2:modp1024 LifeType=Seconds LifeDuration\(4\)=0x00007080/,
    );
  }),
);

test('other transforms get NO-PROPOSAL-CHOSEN, and the log says what to change', { skip }, () =>
  scanned('', async (scan, daemon) => {
    assert.match(await scan(DES), /Notify message 14 \(NO-PROPOSAL-CHOSEN\)/);
    const weak = await said(daemon, 'no-proposal');
    assert.match(weak.text, /encryption: we want AES_CBC_256, the peer DES_CBC/);
    assert.match(
      weak.remedy,
      /^add the proposal des-md5-modp768 \(weak\) to `proposals` in \S+:\d+, or have the peer offer/,
    );
    // Blowfish is none of ours, but has a name.
    assert.match(await scan('--trans=(1=3,14=128,2=4,3=1,4=14)'), /NO-PROPOSAL-CHOSEN/);
    const foreign = await said(daemon, 'no-proposal');
    assert.match(foreign.text, /we want AES_CBC_256, the peer BLOWFISH_CBC_128/);
    assert.match(
      foreign.remedy,
      /^nothing that the peer offers there is supported: have the peer offer aes256-sha256-modp2048/,
    );
    assert.match(await scan('--trans=(1=7,14=256,2=4,3=1,4=15)'), /NO-PROPOSAL-CHOSEN/);
    const group = await said(daemon, 'no-proposal');
    assert.match(group.remedy, /^peer offers modp3072; add `-modp3072` to `proposals`/);
  }),
);

test('signatures and XAUTH are refused, and the log says that there are pre-shared keys only', { skip }, () =>
  scanned('', async (scan, daemon) => {
    for (const [method, name] of [
      [3, 'RSA_SIGNATURE'],
      [65_001, 'XAUTH_INIT_PRE_SHARED'],
    ] as const) {
      assert.match(await scan(`--trans=(1=7,14=256,2=4,3=${method},4=14)`), /NO-PROPOSAL-CHOSEN/);
      const { text, remedy } = await said(daemon, 'no-proposal');
      assert.match(text, new RegExp(`wants to authenticate with ${name}`));
      assert.match(remedy, /pre-shared key, without XAUTH/);
    }
  }),
);

test('aggressive mode is refused unless it is configured', { skip }, () =>
  scanned('', async (scan, daemon) => {
    const answer = await scan(...aggressive(ID.a, 14, AES));
    assert.match(answer, /Notify message 24 \(AUTHENTICATION-FAILED\)/);
    assert.doesNotMatch(answer, /Handshake/);
    const { text, remedy } = await said(daemon, 'wrong-exchange');
    assert.match(text, /begins in aggressive mode/);
    assert.match(remedy, /set the peer to main mode; or, .*, set `aggressive = yes` in connection gw in \S+:\d+$/);
  }),
);

test('with aggressive = yes both modes are answered, the other to whom we know by name', { skip }, () =>
  scanned('aggressive = yes', async (scan, daemon) => {
    assert.match(await scan(AES), /Main Mode Handshake returned/);
    const answer = await scan(...aggressive(ID.a, 14, AES));
    assert.match(answer, /Aggressive Mode Handshake returned/);
    assert.match(answer, /SA=\(Enc=AES KeyLength=256 Hash=SHA2-256 Auth=PSK Group=14:modp2048\)/);
    assert.match(answer, /KeyExchange\(256 bytes\)/);
    assert.match(answer, /ID\(Type=ID_FQDN, Value=b\.espalier\.test\)/);
    assert.match(answer, /Hash\(32 bytes\)/);
    assert.match(await scan(...aggressive(ID.a, 2, TRIPLE)), /Enc=3DES Hash=SHA1 Auth=PSK Group=2:modp1024/);
    assert.match(await scan(...aggressive(ID.a, 1, DES)), /Notify message 14 \(NO-PROPOSAL-CHOSEN\)/);

    assert.match(await scan(...aggressive('nobody.test', 14, AES)), /Notify message 24 \(AUTHENTICATION-FAILED\)/);
    const { text, remedy } = await said(daemon, 'unknown-id');
    assert.match(text, /calls itself ID_FQDN nobody\.test; we expect ID_FQDN a\.espalier\.test/);
    assert.match(
      remedy,
      /^set the remote `id` in \S+:\d+ to nobody\.test, or have the peer call itself a\.espalier\.test$/,
    );
  }),
);
