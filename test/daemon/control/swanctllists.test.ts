// The lists and numbers that the stock swanctl asks for. Where charon 5.9.8 has the same to tell, what it tells is the
// measure: the expected text of `--list-conns --raw` and of `--list-pols` was printed for a charon with this configuration.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConnection } from '../../../src/daemon/control/load.ts';
import { section } from '../../../src/daemon/control/section.ts';
import type { Section } from '../../../src/daemon/control/vici.ts';
import type { Connection } from '../../../src/ike/connection.ts';
import { TALLIED } from '../../../src/ike/tally.ts';
import { lacking } from '../../support/needs.ts';
import { selector, stage } from './fake.ts';
import { swanctl } from './stock.ts';

const skip = lacking('swanctl');

export function connection(name: string, message: Section): Connection {
  const read = readConnection(name, message);
  if ('wrong' in read) throw new Error(read.wrong);
  return read.connection;
}

const auth = (id?: string) => section(['auth', 'psk'], ['id', id]);

const GW = connection(
  'gw',
  section(
    ['version', 2],
    ['local_addrs', ['192.0.2.1']],
    ['remote_addrs', ['192.0.2.2']],
    ['dpd_delay', '8s'],
    ['reauth_time', '24h'],
    ['local', auth('a.test')],
    ['remote', auth('b.test')],
    [
      'children',
      section(
        [
          'net',
          section(
            ['local_ts', ['10.1.0.0/24']],
            ['remote_ts', ['10.2.0.0/24']],
            ['dpd_action', 'restart'],
            ['close_action', 'trap'],
          ),
        ],
        [
          'voice',
          section(
            ['local_ts', ['10.1.0.0/24[tcp/80]']],
            ['remote_ts', ['10.2.0.0/24[tcp]']],
            ['rekey_bytes', '500m'],
            ['rekey_packets', '10000'],
            ['life_time', '2h'],
            ['rekey_time', '1h'],
          ),
        ],
      ),
    ],
  ),
);

const ANY = connection(
  'any',
  section(
    ['unique', 'replace'],
    ['dpd_timeout', '30s'],
    ['local', auth()],
    ['remote', auth('%any')],
    ['children', section(['dyn', section(['mode', 'transport'])])],
  ),
);

const ONE = connection(
  'one',
  section(
    ['version', 1],
    ['local_addrs', ['192.0.2.1']],
    ['remote_addrs', ['192.0.2.2', '10.99.0.0/24']],
    ['local', auth('fqdn:x.test')],
    ['remote', auth('foo@bar.test')],
    ['children', section(['a', new Map()])],
  ),
);

const EMPTY = 'class=pre-shared key groups=[] cert_policy=[] certs=[] cacerts=[]';

test('swanctl --list-conns --raw prints what it prints for charon', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  for (const conn of [GW, ANY, ONE]) gateway.configuration.load(conn);
  const { code, stdout } = await swanctl(uri, '--list-conns', '--raw');
  assert.equal(code, 0);
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    'list-conn event {gw {local_addrs=[192.0.2.1] remote_addrs=[192.0.2.2] version=IKEv2 reauth_time=86400 ' +
      `rekey_time=0 unique=UNIQUE_NO dpd_delay=8 local-1 {id=a.test ${EMPTY}} remote-1 {id=b.test ${EMPTY}} ` +
      'children {net {mode=TUNNEL rekey_time=3600 rekey_bytes=0 rekey_packets=0 dpd_action=start close_action=trap ' +
      'local-ts=[10.1.0.0/24] remote-ts=[10.2.0.0/24]} voice {mode=TUNNEL rekey_time=3600 rekey_bytes=524288000 ' +
      'rekey_packets=10000 dpd_action=none close_action=none local-ts=[10.1.0.0/24[tcp/http]] ' +
      'remote-ts=[10.2.0.0/24[tcp]]}}}}',
    'list-conn event {any {local_addrs=[%any] remote_addrs=[%any] version=IKEv1/2 reauth_time=0 rekey_time=14400 ' +
      `unique=UNIQUE_REPLACE dpd_timeout=30 local-1 {${EMPTY}} remote-1 {id=%any ${EMPTY}} children {dyn ` +
      '{mode=TRANSPORT rekey_time=3600 rekey_bytes=0 rekey_packets=0 dpd_action=none close_action=none ' +
      'local-ts=[dynamic] remote-ts=[dynamic]}}}}',
    'list-conn event {one {local_addrs=[192.0.2.1] remote_addrs=[192.0.2.2 10.99.0.0/24] version=IKEv1 reauth_time=0 ' +
      `rekey_time=14400 unique=UNIQUE_NO local-1 {id=x.test ${EMPTY}} remote-1 {id=foo@bar.test ${EMPTY}} children ` +
      '{a {mode=TUNNEL rekey_time=3600 rekey_bytes=0 rekey_packets=0 dpd_action=none close_action=none ' +
      'local-ts=[dynamic] remote-ts=[dynamic]}}}}',
    'list-conns reply {}',
  ]);
});

test('swanctl --list-conns prints what it prints for charon', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.configuration.load(GW);
  const { stdout } = await swanctl(uri, '--list-conns');
  assert.equal(
    stdout,
    `gw: IKEv2, reauthentication every 86400s, no rekeying, dpd delay 8s
  local:  192.0.2.1
  remote: 192.0.2.2
  local pre-shared key authentication:
    id: a.test
  remote pre-shared key authentication:
    id: b.test
  net: TUNNEL, rekeying every 3600s, dpd action is start
    local:  10.1.0.0/24
    remote: 10.2.0.0/24
  voice: TUNNEL, rekeying every 3600s or 524288000 bytes or 10000 packets, dpd action is none
    local:  10.1.0.0/24[tcp/http]
    remote: 10.2.0.0/24[tcp]
`,
  );
});

test('swanctl --list-pols prints traps, and no others', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  const remoteTs = [{ ...selector('10.2.0.0/24'), protocol: 6 }];
  const voice = { conn: 'gw', child: 'voice', mode: 'tunnel', number: 4, localTs: [selector('10.1.0.0/24')], remoteTs };
  gateway.trapped = [{ ...voice, mode: 'tunnel' }];
  const plain = await swanctl(uri, '--list-pols');
  assert.equal(plain.stdout, 'gw/voice, TUNNEL\n  local:  10.1.0.0/24\n  remote: 10.2.0.0/24[tcp]\n');
  const raw = await swanctl(uri, '--list-pols', '--trap', '--raw');
  assert.equal(
    raw.stdout,
    'list-policy event {gw/voice {child=voice ike=gw mode=TUNNEL local-ts=[10.1.0.0/24] remote-ts=[10.2.0.0/24[tcp]]}}\n' +
      'list-policies reply {}\n',
  );
  for (const other of [['--drop'], ['--pass'], ['--child', 'net'], ['--trap', '--child', 'net']]) {
    assert.equal((await swanctl(uri, '--list-pols', ...other)).stdout, '', other.join(' '));
  }
});

test('swanctl --stats prints times, threads, queues and SAs', { skip }, async (t) => {
  const { uri } = await stage(t);
  const { code, stdout } = await swanctl(uri, '--stats');
  assert.equal(code, 0);
  const [uptime, ...rest] = stdout.split('\n');
  assert.match(uptime ?? '', /^uptime: 6 minutes, since [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \d{4}$/);
  assert.deepEqual(rest.slice(0, 4), [
    'worker threads: 3 total, 0 idle, working: 3/0/0/0',
    'job queues: 0/0/0/0',
    'jobs scheduled: 5',
    'IKE_SAs: 1 total, 0 half-open',
  ]);
  assert.match(rest[4] ?? '', /^mallinfo: sbrk \d+, mmap \d+, used \d+, free \d+$/);
  assert.match(rest[5] ?? '', /^loaded plugins: espalier .*vici/);
});

test('swanctl --counters prints them all, by connection, and resets', { skip }, async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.tally.count('ike-init-out-req', 'gw');
  gateway.tally.count('invalid');
  const all = await swanctl(uri, '--counters');
  const [head, ...rows] = all.stdout.trimEnd().split('\n');
  assert.equal(head, 'global:');
  assert.deepEqual(
    rows.map((row) => row.trim().split(/\s+:\s+/)),
    TALLIED.map((name) => [name, name === 'invalid' || name === 'ike-init-out-req' ? '1' : '0']),
  );
  assert.match((await swanctl(uri, '--counters', '--name', 'gw')).stdout, /^gw:\n.*\n.*\n.*\n {2}invalid +: 0\n/);
  assert.match((await swanctl(uri, '--counters', '--all')).stdout, /^gw:\n/);
  const none = await swanctl(uri, '--counters', '--name', 'nope');
  assert.equal(none.stderr, 'get-counters failed: no counters found for this connection\n');
  assert.equal((await swanctl(uri, '--counters', '--reset')).stdout, 'reset-counters completed successfully\n');
  assert.equal(gateway.tally.all().invalid, 0);
  assert.equal(gateway.tally.byConnection().size, 1);
  await swanctl(uri, '--counters', '--reset', '--name', 'gw');
  assert.equal(gateway.tally.byConnection().size, 0);
  gateway.tally.count('invalid', 'gw');
  await swanctl(uri, '--counters', '--reset', '--all');
  assert.deepEqual([gateway.tally.byConnection().size, gateway.tally.all().invalid], [0, 1]);
});

test("swanctl --list-algs prints what can be negotiated, in charon's sections", { skip }, async (t) => {
  const { uri } = await stage(t);
  const { stdout } = await swanctl(uri, '--list-algs');
  const sections = stdout.split('\n').filter((row) => /^\S/.test(row));
  assert.deepEqual(
    sections.map((row) => row.replace(':', '')),
    ['encryption', 'integrity', 'aead', 'hasher', 'prf', 'xof', 'kdf', 'drbg', 'dh', 'rng', 'nonce-gen'],
  );
  for (const name of ['AES_CBC', 'AES_GCM_16', 'HMAC_SHA2_256_128', 'PRF_HMAC_SHA2_384', 'CURVE_25519', 'MODP_2048']) {
    assert.ok(stdout.includes(`\n  ${name}[espalier]\n`), name);
  }
});

test('what there is none of is listed as empty', { skip }, async (t) => {
  const { uri, bugs } = await stage(t);
  for (const [option, reply] of [
    ['--list-certs', 'list-certs reply {}\n'],
    ['--list-pools', 'get-pools reply {}\n'],
    ['--list-authorities', 'list-authorities reply {}\n'],
  ] as const) {
    assert.deepEqual(await swanctl(uri, option), { code: 0, stdout: '', stderr: '' }, option);
    assert.equal((await swanctl(uri, option, '--raw')).stdout, reply);
  }
  assert.equal((await swanctl(uri, '--list-pools', '--leases')).code, 0);
  for (const option of ['--flush-certs', '--reload-settings']) {
    assert.deepEqual(await swanctl(uri, option), { code: 0, stdout: '', stderr: '' }, option);
  }
  assert.deepEqual(bugs, []);
});
