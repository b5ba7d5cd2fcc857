// Versions, modes, protocols, identities, the number of tunnels; and what holds for every rule.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLATFORMS } from '../../../../src/config/lint/platform/table.ts';
import { conf, error, expectFindings, findings, info, KEY, warning } from '../conf.ts';
import { FITS, testRows } from './fits.ts';

test('for every platform there is a configuration that it has nothing against', () => {
  assert.deepEqual(
    Object.keys(FITS),
    PLATFORMS.map(({ name }) => name),
  );
  for (const [platform, { change, notes = [] }] of Object.entries(FITS)) expectFindings(conf(change), notes, platform);
});

testRows([
  // --- versions and modes
  [
    'tencent',
    'IKEv2',
    { conn: ['version = 2'] },
    error('platform-version', 'version', /^Tencent speaks IKEv1 only, and connection office IKEv2$/),
  ],
  ['tencent', 'both versions', { conn: ['version = 0'] }, warning('platform-version', 'version', /begins with IKEv2$/)],
  [
    'huawei-classic',
    'IKEv1, where IKEv2 is recommended',
    { conn: ['version = 1'] },
    info('platform-version', 'version', /recommends IKEv2$/),
  ],
  [
    'aws',
    'aggressive mode',
    { conn: ['version = 1', 'proposals = aes256-sha384-ecp384', 'aggressive = yes'] },
    error('platform-mode', 'aggressive', /takes no aggressive mode/),
  ],
  [
    'ucloud',
    'aggressive mode is in order',
    { conn: ['version = 1', 'aggressive = yes'] },
    info('platform-version', 'version', /recommends IKEv2$/),
  ],
  [
    'huawei',
    'AH',
    { child: ['esp_proposals = ', 'ah_proposals = sha256-modp3072'] },
    error('platform-protocol', 'ah_proposals', /takes ESP only; child net wants AH$/),
  ],
  ['huawei-classic', 'AH is in order', { child: ['esp_proposals = ', 'ah_proposals = sha256-modp2048'] }],
  [
    'tencent',
    'transport mode',
    { child: ['mode = transport', 'local_ts = dynamic', 'remote_ts = dynamic'] },
    error('platform-protocol', 'mode', /has tunnel mode only/),
  ],
  // --- identities
  [
    'huawei',
    'a name with a character that is not there',
    { local: ['id = gw1&example.org'] },
    error('platform-identity', 'id = gw1', /without & < > .* has ID_FQDN gw1&example\.org$/),
  ],
  [
    'huawei',
    'a name of 129 characters',
    { local: [`id = ${'a'.repeat(129)}`] },
    error('platform-identity', 'id = aaa', /1 to 128 characters/),
  ],
  ['huawei', 'a name of 128 characters', { local: [`id = ${'a'.repeat(128)}`] }],
  [
    'huawei',
    'a mail address',
    { local: ['id = gw1@example.org'] },
    error('platform-identity', 'id = gw1@', /gw1@example\.org$/),
  ],
  ['huawei', 'addresses', { local: ['id = 192.0.2.1'] }],
  [
    'tencent',
    'a key id of the peer',
    { remote: ['id = keyid:gw2'], secrets: `ike-1 {\n id-1 = keyid:gw2 \n secret = ${KEY} \n}` },
    error('platform-identity', 'id = keyid:gw2', /an IP address or a domain name; .* has ID_KEY_ID gw2$/),
  ],
]);

test('several tunnels to one customer gateway are more than Tencent has', () => {
  const own = FITS.tencent?.change ?? {};
  const [first = ''] = /office \{[\s\S]*?\n {2}\}/.exec(conf(own)) ?? [];
  const text = conf({
    ...own,
    connections: first.replace('office', 'second').replace('10.2.0.0', '10.4.0.0').replace('gw2', 'gw3'),
    secrets: `ike-1 {\n secret = ${KEY} \n}`,
  });
  const found = findings(text, 'tencent').filter(({ code }) => code === 'platform-tunnels');
  assert.equal(found.length, 1);
  assert.match(found[0]?.text ?? '', /^Tencent: one tunnel for each customer gateway; connection second is number 2/);
});

test('every rule of every platform says whose it is, and nothing of a key', () => {
  const bad = conf({
    conn: ['version = 2', 'proposals = chacha20poly1305-prfsha256-x25519', 'dpd_delay = ', 'rekey_time = 30d'],
    child: ['local_ts = 169.254.195.0/24', 'remote_ts = 169.254.195.0/24', 'rekey_time = 20d', 'mss = no'],
    secrets: `ike-office {\n id-1 = gw2.example.org \n secret = "Zx9 'Qw7?Kp" \n}`,
  });
  for (const { name, title } of PLATFORMS) {
    const own = findings(bad, name).filter(({ code }) => code.startsWith('platform-'));
    assert.ok(own.length >= 2, name);
    for (const { text, remedy } of own) {
      assert.ok(text.includes(title), text);
      assert.doesNotMatch(`${text}${remedy}`, /Zx9|Qw7|Kp/);
    }
  }
});
