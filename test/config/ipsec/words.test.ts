// Two gateways from ipsec.conf, on a virtual clock: the same file on both comes up, and when they disagree the refusal
// names the keywords and lines of the file that its operator has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pair, type Side } from '../../support/pair.ts';
import { read, readSecrets } from './read.ts';

const LEFT = '192.0.2.1';
const RIGHT = '192.0.2.2';

const CONF = `conn gw
    authby=psk
    auto=add
    keyexchange=ikev2
    left=${LEFT}
    right=${RIGHT}
    leftsubnet=10.1.0.0/24
    rightsubnet=10.2.0.0/24
    ike=aes128-sha256-modp2048!
    esp=aes128-sha256!
`;
const SECRETS = `${LEFT} ${RIGHT} : PSK "a shared word of some length"\n`;

/** What the right one has otherwise. */
function pair(change: (text: string) => string, secrets = SECRETS, conf = CONF): Pair {
  const side = (ip: string, text: string, keys: string) => {
    const sharedKeys = readSecrets(keys).keys;
    return { ip, connections: read(text, { own: [ip] }).connections, sharedKeys };
  };
  const both = new Pair(side(LEFT, conf, SECRETS), side(RIGHT, change(conf), secrets));
  both.left.initiate();
  both.run(60_000);
  return both;
}

function remedies(side: Side): string[] {
  return side.events.flatMap((event) => ('reason' in event && event.reason.remedy ? [event.reason.remedy] : []));
}

test('one file serves both ends', () => {
  for (const version of ['ikev2', 'ikev1']) {
    const both = pair((text) => text, SECRETS, CONF.replace('ikev2', version));
    for (const side of [both.left, both.right]) assert.equal(side.live.children.length, 1, version);
  }
});

for (const version of ['ikev2', 'ikev1'] as const) {
  const told = (change: (text: string) => string, secrets = SECRETS) => {
    const both = pair(change, secrets, CONF.replace('ikev2', version));
    return [remedies(both.left).join('\n'), remedies(both.right).join('\n')] as const;
  };

  test(`${version}: different algorithms for IKE are those of ike=`, () => {
    const [left, right] = told((text) => text.replace('aes128-sha256-modp2048!', 'aes256-sha512-modp4096!'));
    assert.match(left, /`ike` in ipsec\.conf:9/);
    assert.match(right, /to `ike` in ipsec\.conf:9/);
  });

  test(`${version}: different algorithms for ESP are those of esp=`, () => {
    const [left, right] = told((text) => text.replace('esp=aes128-sha256!', 'esp=aes256-sha512!'));
    assert.match(left, /`esp` in ipsec\.conf:10/);
    assert.match(right, /to `esp` in ipsec\.conf:10/);
  });

  test(`${version}: subnets that do not meet are leftsubnet and rightsubnet, and ours is named`, () => {
    const [left, right] = told((text) => text.replace('10.2.0.0/24', '10.3.0.0/24'));
    assert.match(left, /`leftsubnet` and `rightsubnet` in ipsec\.conf:7/);
    assert.match(
      right,
      /^set `rightsubnet` in ipsec\.conf:8 to 10\.2\.0\.0\/24, or the peer's remote selector to 10\.3/,
    );
  });

  test(`${version}: another identity is that of leftid=`, () => {
    const [, right] = told((text) => `${text}    leftid=@left.example.org\n`);
    assert.match(right, /set `leftid` in ipsec\.conf:11 to 192\.0\.2\.1/);
  });

  test(`${version}: a secret that is missing is a line of ipsec.secrets`, () => {
    const [, right] = told((text) => text, version === 'ikev2' ? '@else : PSK "another one of some length"\n' : '');
    // In IKEv1 a secret is needed before anybody has said who he is.
    const missing =
      /add a secret for it: 192\.0\.2\.2 192\.0\.2\.1 : PSK …|set the same pre-shared key on both sides \(ours is in ipsec\.conf:1\)/;
    assert.match(right, missing);
  });
}

test('the wrong version is that of keyexchange=', () => {
  const other = 'conn other\n  authby=psk\n  auto=add\n  keyexchange=ikev1\n  left=192.0.2.2\n  right=198.51.100.9\n';
  const both = pair((text) => `${text.replace('ikev1', 'ikev2')}${other}`, SECRETS, CONF.replace('ikev2', 'ikev1'));
  assert.match(
    remedies(both.right).join('\n'),
    /^set `keyexchange=ikev1` in ipsec\.conf:4 \(ike takes both\), or switch the peer to IKEv2$/,
  );
});

test('a peer that calls itself otherwise is rightid=, at the line of right= where that is not written', () => {
  const both = pair((text) => `${text}    rightid=@right.example.org\n`, SECRETS, CONF.replace('ikev2', 'ikev1'));
  assert.match(remedies(both.left).join('\n'), /set `rightid` in ipsec\.conf:6 to right\.example\.org/);
});
