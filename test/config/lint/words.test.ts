// What the linter says about an ipsec.conf is said in its words: an option of swanctl.conf would be no help there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEYWORDS } from '../../../src/config/ipsec/keywords.ts';
import type { Finding } from '../../../src/config/lint/finding.ts';
import { lint } from '../../../src/config/lint/lint.ts';
import { PLATFORMS } from '../../../src/config/lint/platform/table.ts';
import { read, readSecrets } from '../ipsec/read.ts';

const CONF = `conn %default
  authby=psk
  auto=start
  left=192.0.2.1
  leftsubnet=10.1.0.0/16
conn never
  right=198.51.100.1
  rightsubnet=10.2.0.0/16
  ikelifetime=0
  lifetime=0
conn leftalone
  right=198.51.100.2
  rightsubnet=198.51.100.0/24
  rekey=no
  replay_window=0
conn hasty
  right=198.51.100.3
  rightsubnet=192.0.2.0/24
  rightid=@#6162
  dpdaction=restart
  dpddelay=10
  dpdtimeout=10
conn late
  right=198.51.100.4
  keyexchange=ikev2
  dpdaction=clear
  dpddelay=10
  dpdtimeout=300
  lifetime=5h
  esp=3des-sha1
  lifebytes=107374182400
conn unasked
  right=198.51.100.5
  keyexchange=ikev1
  aggressive=yes
  dpdaction=hold
  dpddelay=0
conn untimed
  right=198.51.100.6
  dpdaction=hold
  dpddelay=0
  dpdtimeout=0
  ah=sha256
conn earlier
  right=198.51.100.7
  rightid=@peer
conn hidden
  right=198.51.100.7
  rightid=@peer
  leftsubnet=192.0.2.1
  type=transport
  dpdaction=clear
`;

/** With one secret, for everybody unless another owner is given. */
function found(conf: string, platform?: (typeof PLATFORMS)[number], owner = ''): readonly Finding[] {
  const secrets = readSecrets(`${owner} : PSK "of which nobody has ever thought before, 9 times"\n`).keys;
  return lint({ connections: read(conf).connections, secrets }, platform);
}

const WORDS = new Set(KEYWORDS.map(({ path }) => path.slice(path.lastIndexOf('.') + 1)));
/** What is said of a swanctl.conf by its name, where an ipsec.conf has nothing. */
const ELSEWHERE = /a swanctl\.conf has .*/;

for (const platform of [undefined, ...PLATFORMS]) {
  test(`${platform?.name ?? 'in general'}: texts and remedies name no option that an ipsec.conf does not have`, () => {
    const findings = [...found(CONF, platform), ...found(CONF, platform, '203.0.113.99')];
    for (const { code, text, remedy } of findings) {
      const own = remedy.replace(ELSEWHERE, '');
      const names = `${text} ${own}`.match(/\b[a-z]+_[a-z_]+\b/g) ?? [];
      assert.deepEqual(
        names.filter((name) => !WORDS.has(name)),
        [],
        `${code}: ${text}; ${remedy}`,
      );
      assert.doesNotMatch(own, / = |\{|\b(proposals|remote\.id|local\.id|id-1|ike-NAME)\b/, code);
    }
    const codes = new Set(findings.map(({ code }) => code));
    for (const code of [
      'never-renewed',
      'replay-unchecked',
      'dpd-hasty',
      'dpd-late',
      'dpd-unasked',
      'shadowed',
      'no-secret',
    ]) {
      assert.ok(codes.has(code), `${code} is among ${[...codes].join(' ')}`);
    }
  });
}

test('a timeout that nobody has written is not said to come too late', () => {
  const conf = 'conn c\n  authby=psk\n  auto=add\n  right=198.51.100.1\n  dpdaction=clear\n';
  const late = (text: string) => found(text).filter(({ code }) => code === 'dpd-late').length;
  assert.deepEqual([late(conf), late(`${conf}  dpdtimeout=150s\n`)], [0, 1]);
});

test('a remedy is one that the file takes', () => {
  const conn = (...settings: readonly string[]) =>
    found(
      `conn c\n  authby=psk\n  auto=add\n  right=198.51.100.1\n${settings.map((line) => `  ${line}\n`).join('')}`,
      PLATFORMS.find(({ name }) => name === 'huawei'),
    );
  const remedy = (code: string, ...settings: readonly string[]) =>
    conn(...settings).find((finding) => finding.code === code)?.remedy;
  assert.equal(remedy('platform-dpd'), 'set dpdaction=restart and dpddelay=30s');
  assert.equal(remedy('platform-dpd', 'dpdaction=restart'), undefined);
  const [missing] = found(CONF, undefined, '203.0.113.99').filter(({ code }) => code === 'no-secret');
  assert.equal(missing?.remedy, 'add a line to ipsec.secrets: 198.51.100.1 : PSK "…"');
  assert.equal(
    remedy('platform-lifetime', 'rekey=no'),
    'set ikelifetime=86400s, which is its default, and leave rekey=no out',
  );
  assert.equal(
    remedy('child-outlives-ike', 'lifetime=5h'),
    'set lifetime to 3h at most, or ikelifetime to 5h at least',
  );
  assert.equal(remedy('child-outlives-ike', 'lifetime=3h'), undefined);
  assert.equal(remedy('child-outlives-ike', 'lifetime=5h', 'ikelifetime=5h'), undefined);
});
