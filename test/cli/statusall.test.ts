// `espalier statusall`: the text of strongSwan's `statusall`. The lines of the first test are those of UCloud's guide, its
// paragraph 13.6.3.3 (strongSwan 5.7.2); the others were printed by `stroke statusall` of a charon 5.9.8.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConnection } from '../../src/daemon/control/load.ts';
import { section } from '../../src/daemon/control/section.ts';
import type { Section } from '../../src/daemon/control/vici.ts';
import type { ChildStatus, SessionStatus } from '../../src/daemon/status.ts';
import { type FakeGateway, NET, SESSION, selector, stage } from '../daemon/control/fake.ts';
import { espalier } from './terminal.ts';

const UCLOUD = `Listening IP addresses:
  10.23.228.173
Connections:
        test:  10.23.228.173...106.75.234.78  IKEv2, dpddelay=8s
        test:   local:  [113.31.113.78] uses pre-shared key authentication
        test:   remote: [106.75.234.78] uses pre-shared key authentication
        test:   child:  10.23.0.0/16 === 10.0.192.0/20 TUNNEL, dpdaction=restart
Security Associations (1 up, 0 connecting):
        test[1]: ESTABLISHED 6 minutes ago, 10.23.228.173[113.31.113.78]...106.75.234.78[106.75.234.78]
        test[1]: IKEv2 SPIs: 8285787a9e1b8ae2_i* 22543e6225ea8e59_r, pre-shared key reauthentication in 23 hours
        test[1]: IKE proposal: AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024
        test{1}:  INSTALLED, TUNNEL, reqid 1, ESP in UDP SPIs: c22520e2_i c30646c8_o
        test{1}:  AES_CBC_128/HMAC_SHA1_96, 35364 bytes_i (421 pkts, 1s ago), 35364 bytes_o (421 pkts, 1s ago), rekeying in 23 hours
        test{1}:   10.23.0.0/16 === 10.0.192.0/20`;

const AES = { type: 1, id: 12, keyBits: 128 };
const SHA1 = { type: 3, id: 2 };

const CHILD: ChildStatus = {
  ...NET,
  name: 'test',
  spiIn: 0xc22520e2,
  spiOut: 0xc30646c8,
  transforms: [AES, SHA1],
  bytesIn: 35_364,
  packetsIn: 421,
  bytesOut: 35_364,
  packetsOut: 421,
  useIn: 1,
  useOut: 1.7,
  rekeyIn: 85_000,
  localTs: [selector('10.23.0.0/16')],
  remoteTs: [selector('10.0.192.0/20')],
};

const SA: SessionStatus = {
  ...SESSION,
  conn: 'test',
  local: { ip: '10.23.228.173', port: 4500 },
  localId: '113.31.113.78',
  remote: { ip: '106.75.234.78', port: 4500 },
  remoteId: '106.75.234.78',
  spiI: '8285787a9e1b8ae2',
  spiR: '22543e6225ea8e59',
  transforms: [AES, SHA1, { type: 2, id: 2 }, { type: 4, id: 2 }],
  establishedSince: 365,
  rekeyIn: undefined,
  reauthIn: 84_500,
  children: [CHILD],
};

const auth = (id?: string) => section(['auth', 'psk'], ['id', id]);

function configure(gateway: FakeGateway, name: string, message: Section): void {
  const read = readConnection(name, message);
  if ('wrong' in read) throw new Error(read.wrong);
  gateway.configuration.load(read.connection);
}

function ucloud(gateway: FakeGateway): void {
  gateway.at = ['10.23.228.173'];
  gateway.running = [SA];
  const child = section(['local_ts', ['10.23.0.0/16']], ['remote_ts', ['10.0.192.0/20']], ['dpd_action', 'restart']);
  const conn = section(
    ['version', 2],
    ['local_addrs', ['10.23.228.173']],
    ['remote_addrs', ['106.75.234.78']],
    ['dpd_delay', '8s'],
    ['local', auth('113.31.113.78')],
    ['remote', auth('106.75.234.78')],
    ['children', section(['test', child])],
  );
  configure(gateway, 'test', conn);
}

async function lines(uri: string, ...args: readonly string[]): Promise<string[]> {
  const { code, out } = await espalier(['statusall', ...args, '--control', uri]);
  assert.equal(code, 0);
  return out.split('\n');
}

test("the tunnel of UCloud's guide is shown as there, letter by letter", async (t) => {
  const { uri, gateway } = await stage(t);
  ucloud(gateway);
  const shown = await lines(uri);
  const [head, uptime, malloc, workers, plugins, ...rest] = shown;
  assert.match(
    head ?? '',
    /^Status of IKE charon daemon \(strongSwan-compatible espalier 1\.2\.3, Linux \S+, [\w-]+\):$/,
  );
  assert.match(uptime ?? '', /^ {2}uptime: 6 minutes, since [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \d{4}$/);
  assert.match(malloc ?? '', /^ {2}malloc: sbrk \d+, mmap \d+, used \d+, free \d+$/);
  assert.equal(workers, '  worker threads: 0 of 3 idle, 3/0/0/0 working, job queue: 0/0/0/0, scheduled: 5');
  assert.match(plugins ?? '', /^ {2}loaded plugins: [\w -]+$/);
  assert.equal(rest.join('\n'), UCLOUD);
});

test('connections of every kind are shown as charon shows them', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.running = [];
  configure(
    gateway,
    'any',
    section(['local', auth()], ['remote', auth()], ['children', section(['dyn', section(['mode', 'transport'])])]),
  );
  configure(
    gateway,
    'one',
    section(
      ['version', 1],
      ['aggressive', 'yes'],
      ['local_addrs', ['192.0.2.1']],
      ['remote_addrs', ['192.0.2.2', '10.99.0.0/24']],
      ['local', auth('fqdn:x.test')],
      ['remote', auth('foo@bar.test')],
      ['children', section(['a', section(['local_ts', ['10.1.0.0/24[tcp/80]', '10.2.0.0/24']])])],
    ),
  );
  const shown = await lines(uri);
  assert.deepEqual(shown.slice(shown.indexOf('Connections:')), [
    'Connections:',
    '         any:  %any...%any  IKEv1/2',
    '         any:   local:  uses pre-shared key authentication',
    '         any:   remote: uses pre-shared key authentication',
    '         dyn:   child:  dynamic === dynamic TRANSPORT',
    '         one:  192.0.2.1...192.0.2.2, 10.99.0.0/24  IKEv1 Aggressive',
    '         one:   local:  [x.test] uses pre-shared key authentication',
    '         one:   remote: [foo@bar.test] uses pre-shared key authentication',
    '           a:   child:  10.1.0.0/24[tcp/http] 10.2.0.0/24 === dynamic TUNNEL',
    'Security Associations (0 up, 0 connecting):',
    '  none',
  ]);
});

test('SAs in every state are shown as charon shows them', async (t) => {
  const { uri, gateway } = await stage(t);
  const fresh = { ...NET, bytesIn: 0, bytesOut: 84, packetsOut: 1, useIn: undefined, useOut: 3, udp: false, esn: true };
  gateway.running = [
    {
      ...SESSION,
      initiator: false,
      rekeyIn: 13_813,
      reauthIn: 84_500,
      children: [
        { ...NET, state: 'REKEYED' },
        { ...NET, id: 2, state: 'DELETING' },
        { ...fresh, id: 3, rekeyIn: undefined },
      ],
    },
    {
      ...SESSION,
      id: 2,
      state: 'CONNECTING',
      localId: '%any',
      remoteId: '%any',
      spiR: '0000000000000000',
      transforms: [],
      establishedSince: undefined,
      rekeyIn: undefined,
      tasksQueued: ['CHILD_CREATE'],
      tasksActive: ['IKE_INIT', 'IKE_AUTH'],
      children: [],
    },
    { ...SESSION, id: 3, rekeyIn: undefined, children: [] },
  ];
  configure(gateway, 'gw', section(['local', auth()], ['remote', auth()]));
  const shown = await lines(uri);
  assert.deepEqual(shown.slice(shown.findIndex((row) => row.startsWith('Security')) + 1), [
    '          gw[1]: ESTABLISHED 1 second ago, 10.71.0.1[gw1.pf.test]...10.71.0.2[gw2.pf.test]',
    '          gw[1]: IKEv2 SPIs: 4c41492227ff53fa_i 71c110f4415903cc_r*, rekeying in 3 hours, ' +
      'pre-shared key reauthentication in 23 hours',
    '          gw[1]: IKE proposal: AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048',
    '         net{1}:  REKEYED, TUNNEL, reqid 1, expires in 4 hours',
    '         net{1}:   10.71.1.0/24 === 10.71.2.0/24',
    '         net{2}:  DELETING, TUNNEL, reqid 1',
    '         net{2}:   10.71.1.0/24 === 10.71.2.0/24',
    '         net{3}:  INSTALLED, TUNNEL, reqid 1, ESP SPIs: c560316d_i 4558aff3_o',
    '         net{3}:  AES_CBC_128/HMAC_SHA2_256_128/ESN, 0 bytes_i, 84 bytes_o (1 pkt, 3s ago), rekeying disabled',
    '         net{3}:   10.71.1.0/24 === 10.71.2.0/24',
    '          gw[2]: CONNECTING, 10.71.0.1[%any]...10.71.0.2[%any]',
    '          gw[2]: IKEv2 SPIs: 4c41492227ff53fa_i* 0000000000000000_r',
    '          gw[2]: Tasks queued: CHILD_CREATE ',
    '          gw[2]: Tasks active: IKE_INIT IKE_AUTH ',
    '          gw[3]: ESTABLISHED 1 second ago, 10.71.0.1[gw1.pf.test]...10.71.0.2[gw2.pf.test]',
    '          gw[3]: IKEv2 SPIs: 4c41492227ff53fa_i* 71c110f4415903cc_r, rekeying disabled',
    '          gw[3]: IKE proposal: AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048',
  ]);
});

test('traps are shown as routed connections', async (t) => {
  const { uri, gateway } = await stage(t);
  const ts = { localTs: [selector('10.71.1.0/24')], remoteTs: [selector('10.71.2.0/24')] };
  gateway.trapped = [
    { conn: 'gw', child: 'net', mode: 'tunnel', number: 7, ...ts },
    { conn: 'gw', child: 'other', mode: 'transport', number: 8, ...ts },
  ];
  const shown = await lines(uri);
  const from = shown.indexOf('Routed Connections:');
  assert.deepEqual(shown.slice(from + 1, from + 5), [
    '         net{1}:  ROUTED, TUNNEL, reqid 1',
    '         net{1}:   10.71.1.0/24 === 10.71.2.0/24',
    '       other{0}:  ROUTED, TRANSPORT, reqid 0',
    '       other{0}:   10.71.1.0/24 === 10.71.2.0/24',
  ]);
});

test('with a NAME only what is called so is shown', async (t) => {
  const { uri, gateway } = await stage(t);
  ucloud(gateway);
  gateway.running = [SA, SESSION];
  const of = async (name: string) => {
    const shown = await lines(uri, name);
    const rows = shown.slice(shown.indexOf('Connections:')).filter((row) => row.startsWith('  '));
    return rows.map((row) => row.trim().split(':')[0]);
  };
  const test = await of('test');
  assert.deepEqual([...new Set(test)], ['test', 'test[1]', 'test{1}']);
  assert.deepEqual([...new Set(await of('net'))], ['gw[1]', 'net{1}']);
  const none = await lines(uri, 'nope');
  assert.deepEqual(none.slice(-3), ['Connections:', 'Security Associations (2 up, 0 connecting):', '  no match']);
});

test('--json has the same data', async (t) => {
  const { uri, gateway } = await stage(t);
  ucloud(gateway);
  const { out } = await espalier(['statusall', '--json', '--control', uri]);
  const all = JSON.parse(out);
  assert.deepEqual(Object.keys(all), ['version', 'stats', 'addresses', 'connections', 'policies', 'sas']);
  assert.equal(all.connections[0].name, 'test');
  assert.equal(all.sas[0]['child-sas']['test-1']['bytes-in'], '35364');
});

test('what would steer a terminal is made visible', async (t) => {
  const { uri, gateway } = await stage(t);
  gateway.running = [{ ...SESSION, conn: 'a\u001b[2Jb' }];
  assert.ok((await lines(uri)).some((row) => row.includes('a\\x1b[2Jb[1]: ESTABLISHED')));
});
