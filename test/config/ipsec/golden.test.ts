// The configurations of the clouds' guides: they load as they are, or it is said on which lines they are wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp, formatPrefix } from '../../../src/bytes/ip.ts';
import { loadSwanctl } from '../../../src/config/swanctl.ts';
import type { AddressPattern, Connection } from '../../../src/ike/connection.ts';
import { formatIdentity } from '../../../src/ike/identity.ts';
import { keywordOf } from '../../../src/ike/transforms.ts';
import { formatSelector } from '../../../src/ike/ts.ts';
import { mistakes, one, onlyChild, read, readSecrets } from './read.ts';
import {
  HUAWEI,
  HUAWEI_AR,
  JD,
  TENCENT,
  TENCENT_SWANCTL,
  UCLOUD_SAMPLE,
  UCLOUD_SECRETS,
  UCLOUD_TEMPLATE,
} from './seeds.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

function addresses(patterns: readonly AddressPattern[]): string {
  return patterns
    .map((pattern) => {
      if (pattern.kind === 'any') return '%any';
      if (pattern.kind === 'name') return pattern.name;
      return pattern.kind === 'prefix' ? formatPrefix(pattern.prefix) : `${formatIp(pattern.start)}-…`;
    })
    .join();
}

function selectors({ children }: Connection): string[] {
  return children.map(({ name, localTs, remoteTs }) => {
    const [local, remote] = [localTs, remoteTs].map((all) =>
      all.map((source) => (source.kind === 'fixed' ? formatSelector(source.selector) : 'dynamic')).join(),
    );
    return `${name}: ${local} === ${remote}`;
  });
}

function words(offers: Connection['offers']): string[] {
  return offers.map(({ transforms }) => transforms.map((one) => keywordOf(one) ?? '-').join('-'));
}

test("UCloud's file loads as it was downloaded", () => {
  const { connections, warnings } = read(UCLOUD_TEMPLATE);
  assert.deepEqual(warnings, [
    'ipsec.conf:6:5: option "pfs" has no effect: a group in esp= decides about PFS',
    `ipsec.conf:20:5: option "leftnexthop" has no effect: the host's routes say how packets go (2 times)`,
  ]);
  assert.equal(connections.length, 1);
  const [connection] = connections as [Connection];
  const child = onlyChild(connection);
  assert.deepEqual(
    [connection.name, connection.version, child.name, child.mode, child.startAction],
    ['ipsvpn_tunnel-MQcK-cVMR', 2, 'ipsvpn_tunnel-MQcK-cVMR', 'tunnel', 'start'],
  );
  assert.deepEqual(
    [addresses(connection.localAddrs), addresses(connection.remoteAddrs)],
    ['192.168.93.46/32', '106.75.234.78/32'],
  );
  assert.equal(connection.localId && formatIdentity(connection.localId), '192.168.93.46');
  assert.equal(connection.remoteId.kind === 'is' && formatIdentity(connection.remoteId.id), '106.75.234.78');
  assert.deepEqual(selectors(connection), ['ipsvpn_tunnel-MQcK-cVMR: 172.16.1.0/24 === 10.0.192.0/20']);
  // Strict: nothing but what is written. The group in esp= is PFS, whatever pfs= says.
  assert.deepEqual(words(connection.offers), ['aes128-prfsha1-sha1-modp1024']);
  assert.deepEqual(words(child.offers), ['aes128-sha1-modp1024-noesn']);
  assert.deepEqual(
    [connection.reauthTime, connection.rekeyTime, connection.overTime, connection.randTime],
    [24 * HOUR - 9 * MINUTE, 0, 9 * MINUTE, 9 * MINUTE],
  );
  const { rekeyTime, lifeTime, randTime } = child.lifetime;
  assert.deepEqual([rekeyTime, lifeTime, randTime], [24 * HOUR - 9 * MINUTE, 24 * HOUR, 9 * MINUTE]);
  assert.deepEqual(
    [connection.dpdDelay, connection.dpdTimeout, child.dpdAction, child.closeAction],
    [8000, 13_000, 'trap', 'none'],
  );
  assert.deepEqual([connection.keyingTries, connection.retryInterval, connection.unique], [3, 12_000, 'replace']);
});

test("UCloud's sample is wrong on every line with //, and on no other", () => {
  const slashed = UCLOUD_SAMPLE.split('\n').flatMap((line, i) =>
    line.includes('//') ? [[i + 1, line.indexOf('//') + 1]] : [],
  );
  assert.equal(slashed.length, 13);
  assert.deepEqual(
    mistakes(() => read(UCLOUD_SAMPLE)),
    slashed.map(
      ([line, column]) => `ipsec.conf:${line}:${column}: "//" does not begin a comment here; did you mean "#"?`,
    ),
  );
});

test("UCloud's sample loads with # in place of //", () => {
  const { connections, warnings } = read(UCLOUD_SAMPLE.replaceAll('//', '#'));
  assert.deepEqual(warnings, []);
  const [connection] = connections as [Connection];
  assert.deepEqual([connection.name, connection.version, onlyChild(connection).dpdAction], ['test', 2, 'restart']);
  assert.equal(connection.localId && formatIdentity(connection.localId), '113.31.113.78');
  assert.equal(addresses(connection.localAddrs), '10.23.228.173/32');
  // Not strict: the defaults come after what is written.
  assert.equal(connection.offers[0]?.text, 'aes128-sha1-modp1024');
  assert.ok(connection.offers.length > 1);
});

test("UCloud's secret is between the two addresses", () => {
  const { keys, warnings } = readSecrets(UCLOUD_SECRETS);
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    keys.map(({ owners, secret }) => [owners.map(formatIdentity), new TextDecoder().decode(secret.reveal())]),
    [[['113.31.113.78', '106.75.234.78'], 'test.1231']],
  );
});

test("Tencent's three policies are three children of one connection, in either language", () => {
  const fromIpsec = one(TENCENT);
  const { connections, warnings } = loadSwanctl([{ path: 'swanctl.conf', text: TENCENT_SWANCTL }]);
  const fromSwanctl = connections[0] as Connection;
  // Two policies have one network on our side in common, with different ones behind the peer.
  assert.deepEqual(selectors(fromIpsec), [
    'spd-1: 192.168.0.0/24,192.168.1.0/24 === 10.0.0.0/24',
    'spd-2: 192.168.2.0/24 === 10.0.1.0/24',
    'spd-3: 192.168.2.0/24 === 10.0.2.0/24',
  ]);
  assert.equal(fromIpsec.version, 1);
  const bare = ({ where: _, children, ...rest }: Connection) => ({
    ...rest,
    children: children.map(({ where: __, ...child }) => child),
  });
  assert.deepEqual(bare(fromIpsec), bare(fromSwanctl));
  assert.deepEqual([warnings, read(TENCENT).warnings], [[], []]);
});

test("Huawei's plan and its router differ in the group alone, and each is what is written", () => {
  for (const [text, group] of [
    [HUAWEI, 'modp3072'],
    [HUAWEI_AR, 'modp2048'],
  ] as const) {
    const { connections, warnings } = read(text);
    assert.deepEqual(warnings, []);
    // Two peers are two connections, whatever else they have in common.
    assert.deepEqual(
      connections.map(({ name, remoteAddrs }) => [name, addresses(remoteAddrs)]),
      [
        ['vpn-1', '1.1.1.2/32'],
        ['vpn-2', '2.2.2.2/32'],
      ],
    );
    for (const connection of connections) {
      assert.deepEqual(words(connection.offers), [`aes128-prfsha256-sha256-${group}`]);
      assert.deepEqual(words(onlyChild(connection).offers), [`aes128-sha256-${group}-noesn`]);
      assert.deepEqual([connection.rekeyTime, connection.reauthTime], [24 * HOUR - 9 * MINUTE, 0]);
      assert.equal(onlyChild(connection).lifetime.lifeTime, HOUR);
    }
  }
});

test('both of the default groups of Huawei, 14 and 15, are among ours', () => {
  for (const version of ['ikev1', 'ikev2']) {
    const connection = one(`conn c\n authby=psk\n auto=add\n keyexchange=${version}\n`);
    const groups = connection.offers.flatMap(({ transforms }) => transforms.flatMap((one) => keywordOf(one) ?? []));
    assert.ok(groups.includes('modp2048') && groups.includes('modp3072'), version);
  }
});

test('what JD Cloud takes can be written, in both versions', () => {
  assert.equal(JD.length, 16);
  for (const { version, algorithms } of JD) {
    const text = `conn jd\n  keyexchange=${version}\n  authby=psk\n  auto=start\n  right=192.0.2.9\n  ike=${algorithms}!\n  esp=${algorithms}!\n`;
    const { connections, warnings } = read(text);
    const [connection] = connections as [Connection];
    assert.deepEqual([connection.version, warnings], [version === 'ikev1' ? 1 : 2, []]);
    const [cipher, hash, group] = algorithms.split('-');
    assert.deepEqual(words(connection.offers), [`${cipher}-prf${hash}-${hash}-${group}`]);
    assert.deepEqual(words(onlyChild(connection).offers), [`${algorithms}-noesn`]);
  }
});
