// The table of keywords against strongSwan's list, against itself, and against what is made from it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { optionAt } from '../../../src/config/check.ts';
import { tallies } from '../../../src/config/counts.ts';
import { KEYWORDS, KINDS, SPELLINGS } from '../../../src/config/ipsec/keywords.ts';
import { sampleIpsecConf, sampleIpsecSecrets } from '../../../src/config/ipsec/sample.ts';
import { canonical } from '../../../src/config/schema.ts';
import { mistakes, read, readSecrets } from './read.ts';

const SAMPLES = new URL('../../../../conf/samples/', import.meta.url);

// Keywords that the starter of strongSwan 5.9.8 knows, those that it calls deprecated included; `auth` and `ah` of its manual.
const SETUP = `charondebug uniqueids cachecrls strictcrlpolicy interfaces dumpdir charonstart plutostart klipsdebug plutodebug
  prepluto postpluto plutostderrlog fragicmp packetdefault hidetos overridemtu crlcheckinterval nocrsend nat_traversal
  keep_alive force_keepalive virtual_private pkcs11module pkcs11initargs pkcs11keepstate pkcs11proxy`;
const CONN = `keyexchange type compress installpolicy aggressive authby eap_identity aaa_identity mobike forceencaps
  fragmentation ikedscp ikelifetime lifetime keylife rekeymargin margintime lifebytes marginbytes lifepackets
  marginpackets keyingtries rekeyfuzz rekey reauth ike esp ah dpddelay dpdtimeout dpdaction closeaction inactivity
  modeconfig xauth xauth_identity mediation mediated_by me_peerid reqid replay_window mark mark_in mark_out tfc
  sha256_96 also auto auth pfs pfsgroup eap`;
const END = `- ikeport subnet subnetwithin protoport sourceip dns firewall hostaccess allowany updown auth auth2 id id2 sigkey
  rsasigkey cert cert2 certpolicy sendcert ca ca2 groups groups2 nexthop`;
const CA = 'also auto cacert crluri crluri1 crluri2 ocspuri ocspuri1 ocspuri2 certuribase ldaphost ldapbase';
const SECRETS = 'RSA ECDSA BLISS PKCS8 P12 PIN PSK EAP XAUTH NTLM';

function names(parent: string, list: string): string[] {
  return list.split(/\s+/).map((name) => `${parent}${name === '-' ? '' : name}`);
}

test('every keyword of strongSwan is in the table', () => {
  const known = new Set([...KEYWORDS, ...KINDS].map(({ path }) => path));
  const all = [
    ...names('setup.', SETUP),
    ...names('conn.', CONN),
    ...names('conn.left', END),
    ...names('conn.right', END),
    ...names('ca.', CA),
    ...names('secrets.', SECRETS),
  ];
  assert.ok(all.length > 150);
  assert.deepEqual(
    all.filter((path) => !known.has(path)),
    [],
  );
});

test('no keyword is described twice, and every default is a value of its type', () => {
  const paths = [...KEYWORDS, ...KINDS].map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length);
  for (const { path, type, default: standard, extra, status, reason, text } of [...KEYWORDS, ...KINDS]) {
    if (standard !== '') assert.ok(canonical(type, standard).ok, path);
    if (extra.example !== undefined) assert.ok(canonical(type, extra.example).ok, path);
    assert.ok(!(standard !== '' && extra.computed !== undefined), path);
    assert.equal(reason === '', status === 'implemented', path);
    assert.match(text, /\.\)?$/, path);
    if (extra.as !== undefined) assert.equal(optionAt(extra.as).status, status, path);
  }
  for (const [spelling, name] of SPELLINGS) {
    for (const parent of spelling.includes('uri') ? ['ca'] : ['conn']) {
      const [one, other] = [spelling, name].map((word) => KEYWORDS.find(({ path }) => path === `${parent}.${word}`));
      assert.equal(one?.status, other?.status, spelling);
    }
  }
});

test('each end has what the other has', () => {
  const of = (side: string) =>
    KEYWORDS.flatMap(({ path, status, reason }) =>
      path.startsWith(`conn.${side}`) ? [`${path.slice(5 + side.length)} ${status} ${reason}`] : [],
    );
  assert.deepEqual(of('left'), of('right'));
});

test('a keyword that is not honoured warns or refuses, once for both ends, and its default does neither', () => {
  for (const { path, status, type, default: standard } of KEYWORDS) {
    const [kind = '', word] = path.split('.');
    if (word === undefined || word === 'also' || status === 'implemented' || kind === 'ca') continue;
    const section = kind === 'setup' ? 'config setup' : 'conn c\n  auto=ignore';
    const load = (value: string) => read(`${section}\n  ${word}=${value}\n`);
    if (standard !== '') assert.deepEqual(load(standard).warnings, [], path);
    const values = ['ifuri', 'yes', 'no', 'other', '99s', '99', 'push', 'server', 'always', 'ah'];
    const value = values.find((candidate) => {
      const [one, two] = [canonical(type, candidate), canonical(type, standard)];
      return one.ok && (!two.ok || one.value !== two.value);
    });
    assert.ok(value !== undefined, path);
    if (status === 'accepted') assert.match(load(value).warnings.join(), /has no effect: /, path);
    else assert.match(mistakes(() => load(value)).join(), new RegExp(`option "${word}" is refused: `), path);
  }
  assert.deepEqual(read('conn a\n  auto=ignore\n  rightfirewall=yes\n  leftfirewall=yes\n').warnings, [
    'ipsec.conf:3:3: option "rightfirewall" has no effect: the firewall is left alone; an updown program of yours can open it (2 times)',
  ]);
  assert.deepEqual(read('ca x\n  cacert=a.pem\n  auto=add\nca y\n  crluri=http://x\n').warnings, [
    'ipsec.conf:1:1: section "ca x" has no effect: certificates and public keys are not supported yet (2 times)',
  ]);
});

test('an unknown keyword names the nearest one, and one of another kind of section says so', () => {
  const wrong = (text: string) => mistakes(() => read(text));
  assert.deepEqual(wrong('conn a\n  auto=ignore\n  leftsubnets=10.0.0.0/8\n  keyexchnge=ikev2\n'), [
    'ipsec.conf:3:3: unknown option "leftsubnets"; did you mean "leftsubnet"?',
    'ipsec.conf:4:3: unknown option "keyexchnge"; did you mean "keyexchange"?',
  ]);
  assert.deepEqual(wrong('config setup\n  left=192.0.2.1\n  uniqueid=no\n'), [
    'ipsec.conf:2:3: unknown option "left"; it belongs into a conn',
    'ipsec.conf:3:3: unknown option "uniqueid"; did you mean "uniqueids"?',
  ]);
  assert.deepEqual(wrong('conn a\n  auto=ignore\n  uniqueids=no\n  cacert=a\n'), [
    'ipsec.conf:3:3: unknown option "uniqueids"; it belongs into config setup',
    'ipsec.conf:4:3: unknown option "cacert"; it belongs into a ca',
  ]);
});

test('the samples are what the table makes', () => {
  for (const [name, text] of [
    ['ipsec.conf', sampleIpsecConf()],
    ['ipsec.secrets', sampleIpsecSecrets()],
  ] as const) {
    const path = fileURLToPath(new URL(name, SAMPLES));
    assert.equal(readFileSync(path, 'utf8'), text, `write sample…() to ${name}`);
  }
});

test('the samples load, and have nothing in them', () => {
  assert.deepEqual(read(sampleIpsecConf()), { connections: [], warnings: [] });
  const { keys, warnings } = readSecrets(sampleIpsecSecrets());
  assert.deepEqual([keys, warnings], [[], []]);
});

test('the samples load with everything in them switched on', () => {
  const on = (text: string) => text.replace(/^( *)# (\w+=.*|conn gw|.* : PSK) ?(".*")?$/gm, '$1$2 $3');
  const { connections, warnings } = read(on(sampleIpsecConf()));
  assert.deepEqual(warnings, []);
  assert.equal(connections[0]?.children[0]?.startAction, 'start');
  assert.equal(connections[0]?.name, 'gw');
  const { keys } = readSecrets(on(sampleIpsecSecrets()).replace('""', '"only a test"'));
  assert.equal(keys[0]?.owners.length, 2);
});

test('the tables are counted', () => {
  for (const { language, options, counts } of tallies()) {
    const sum = counts.implemented + counts.accepted + counts.refused;
    assert.equal(sum, options.length, language);
    assert.ok(counts.implemented > 0, language);
  }
});
