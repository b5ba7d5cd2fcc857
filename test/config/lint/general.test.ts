// The rules that hold whoever is at the other end. Each row is a change to a configuration without fault, and what is
// then found: that and nothing else.

import { test } from 'node:test';
import { type Change, conf, type Expected, error, expectFindings, info, KEY, warning } from './conf.ts';

const SECOND = (lines: string, remote = '203.0.113.3', name = 'gw3.example.org') => `
  branch {
    version = 2
    local_addrs = 192.0.2.1
    remote_addrs = ${remote}
    dpd_delay = 30s
    local {
      auth = psk
      id = gw1.example.org
    }
    remote {
      auth = psk
      id = ${name}
    }
    children {
      two {
        ${lines}
      }
    }
  }`;
const TWO_SECRETS = `ike-1 {
  id-1 = gw2.example.org
  secret = "${KEY}"
}
ike-2 {
  id-1 = gw3.example.org
  secret = "${KEY}2"
}`;
const secret = (line: string, owner = 'id-1 = gw2.example.org') => `ike-office {\n${owner}\n${line}\n}`;

const ROWS: readonly (readonly [string, Change, ...Expected[]])[] = [
  ['a configuration without fault is left alone', {}],

  // --- algorithms
  [
    'weak algorithms of IKE are named',
    { conn: ['proposals = aes128-md5-modp1024'] },
    warning('weak-algorithm', 'proposals =', /^connection office offers weak algorithms: .*HMAC_MD5_96.*MODP_1024$/),
  ],
  [
    'weak algorithms of a child are named',
    { child: ['esp_proposals = 3des-sha1'] },
    warning('weak-algorithm', 'esp_proposals =', /^child net offers weak algorithms: 3DES_CBC$/),
  ],
  [
    'a small block is not to carry much under one key',
    { child: ['esp_proposals = 3des-sha1', 'rekey_bytes = 3g'] },
    warning('weak-algorithm', 'esp_proposals =', /3DES_CBC$/),
    warning('small-block-volume', 'rekey_bytes =', /^child net allows 3 GiB under one key/),
  ],
  ['what a small block may carry is left alone, and so is AES with more', { child: ['rekey_bytes = 100g'] }],
  [
    'up to 1 GiB a small block is left alone',
    { child: ['esp_proposals = 3des-sha1', 'rekey_bytes = 900m'] },
    warning('weak-algorithm', 'esp_proposals =', /3DES_CBC$/),
  ],

  // --- selectors
  [
    'the same network on both sides',
    { child: ['remote_ts = 10.1.0.0/24'] },
    warning('overlap-in-child', 'local_ts', /10\.1\.0\.0\/24 on both sides/),
  ],
  [
    "a network of the peer's that is a part of ours",
    { child: ['local_ts = 10.2.0.0/16'] },
    warning('overlap-in-child', 'local_ts', /our 10\.2\.0\.0\/16 overlaps the peer's 10\.2\.0\.0\/24/),
  ],
  [
    "a network of ours that is a part of the peer's, as a branch has it, is only mentioned",
    { child: ['remote_ts = 10.0.0.0/8'] },
    info('overlap-in-child', 'local_ts', /our 10\.1\.0\.0\/24 lies in the peer's 10\.0\.0\.0\/8/),
  ],
  [
    'one of several selectors is enough',
    { child: ['remote_ts = 10.9.0.0/24, 10.1.0.0-10.1.0.9'] },
    warning('overlap-in-child', 'local_ts', /10\.1\.0\.0\.\.10\.1\.0\.9/),
  ],
  ['IPv4 and IPv6 never overlap', { child: ['local_ts = fd00::/8'] }],
  [
    'the same network of the peer with different ones of ours is in order',
    { children: 'more {\n local_ts = 10.3.0.0/24 \n remote_ts = 10.2.0.0/24 \n}' },
  ],
  [
    'two children of a connection for the same networks',
    { children: 'more {\n local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/24 \n}' },
    warning('same-selectors', 'remote_ts = 10.2.0.0/24', /office\/more has the same networks as office\/net, in one/),
  ],
  [
    'the same networks in another connection may stand in for it',
    { connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/24'), secrets: TWO_SECRETS },
    info('same-selectors', 'remote_ts = 10.2.0.0/24', /branch\/two has the same networks as office\/net.*came up last/),
  ],
  [
    'a narrower child is an exception to a wider one',
    { children: 'more {\n local_ts = 10.1.0.0/16 \n remote_ts = 10.2.0.0/16 \n}' },
    info('nested-selectors', 'remote_ts = 10.2.0.0/16', /office\/more overlaps office\/net: .*narrower/),
  ],
  [
    'children that cross each other',
    { children: 'more {\n local_ts = 10.1.0.0/28 \n remote_ts = 10.2.0.0/16 \n}' },
    warning('overlapping-selectors', 'remote_ts = 10.2.0.0/16', /office\/more overlaps office\/net at 10\.1\.0\.0\/28/),
  ],
  [
    'ports tell children apart',
    {
      child: ['remote_ts = 10.2.0.0/24[tcp/80]'],
      children: 'more {\n local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/24[tcp/443] \n}',
    },
  ],
  [
    'of many children that meet only one line speaks',
    {
      children: ['a', 'b', 'c']
        .map((name) => `${name} {\n local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0/24 \n}`)
        .join('\n'),
    },
    warning('same-selectors', 'remote_ts', /as office\/net, in one/),
    warning('same-selectors', 'remote_ts', /as office\/net \(and 1 more\), in one/),
    warning('same-selectors', 'remote_ts', /as office\/net \(and 2 more\), in one/),
  ],

  [
    'a child with more addresses of the peer is the wider one',
    { children: 'more {\n local_ts = 10.1.0.0/24 \n remote_ts = 10.2.0.0-10.2.1.3 \n}' },
    info('nested-selectors', 'remote_ts = 10.2.0.0-10.2.1.3', /narrower/),
  ],
  [
    'the same local network and different ones of the peer are in order',
    { children: 'more {\n local_ts = 10.1.0.0/24 \n remote_ts = 10.4.0.0/24 \n}' },
  ],

  // --- the gateways themselves
  [
    "the peer's own address behind the peer",
    { child: ['remote_ts = 198.51.100.0/24'] },
    warning('peer-in-tunnel', 'remote_ts', /198\.51\.100\.2 lies in 198\.51\.100\.0\/24/),
  ],
  [
    'everything behind the peer is meant, and mentioned',
    { child: ['remote_ts = 0.0.0.0/0'] },
    info('peer-in-tunnel', 'remote_ts', /198\.51\.100\.2 lies in 0\.0\.0\.0\/0/),
  ],
  [
    'our own address behind the peer',
    { child: ['remote_ts = 192.0.2.0/25'] },
    warning('own-address-in-tunnel', 'remote_ts', /192\.0\.2\.1 lies in 192\.0\.2\.0\/25/),
  ],
  ['a tunnel between the two gateways is in order', { child: ['local_ts = dynamic', 'remote_ts = dynamic'] }],

  // --- secrets
  ['a key of the manuals', { secrets: secret('secret = Test@123') }, error('psk-common', 'secret =', /tried first$/)],
  [
    'a key of the manuals in another spelling',
    { secrets: secret('secret = P@ssW0rd') },
    error('psk-common', 'secret =', /tried first$/),
  ],
  [
    'a key that is guessed by its pieces, however long it is',
    { secrets: secret('secret = passwordpassword2024passwordpassword') },
    error('psk-guessable', 'secret =', /gw2\.example\.org can be guessed/),
  ],
  [
    'one byte over and over again',
    { secrets: secret('secret = 0x0000000000000000000000000000000000000000000000000000000000000000') },
    error('psk-guessable', 'secret =', /can be guessed/),
  ],
  [
    'a random key that is short',
    { secrets: secret('secret = xK3vQ9pLw2TzR') },
    warning('psk-short', 'secret =', /less than 20 bytes$/),
  ],
  ['random bytes', { secrets: secret('secret = 0x3f9a1c77e2b4580d6e91aa03c5d7f2184be6907d') }],
  [
    'aggressive mode gives a hash of a key that can be guessed',
    { conn: ['version = 1', 'aggressive = yes'], secrets: secret('secret = xK3vQ9pLw2TzR') },
    warning('psk-short', 'secret =', /less than 20 bytes$/),
    error('aggressive-guessable', 'aggressive =', /^connection office gives a hash/),
  ],
  [
    'aggressive mode with a long random key is left to the loader’s warning',
    { conn: ['version = 1', 'aggressive = yes'] },
  ],
  [
    'no secret for the peer',
    { secrets: secret(`secret = ${KEY}`, 'id-1 = somebody.else.example.org') },
    warning('no-secret', 'id = gw2.example.org', /^connection office has no secret: .* ID_FQDN gw2\.example\.org/),
  ],
  ['a secret for the address of the peer will do', { secrets: secret(`secret = ${KEY}`, 'id-1 = 198.51.100.2') }],
  [
    'a secret for an address at the end of the range of peers will do',
    { conn: ['remote_addrs = 198.51.100.0-198.51.100.2'], secrets: secret(`secret = ${KEY}`, 'id-1 = 198.51.100.2') },
  ],
  [
    'a secret for an address at the beginning of it will do, too',
    { conn: ['remote_addrs = 198.51.100.2-198.51.100.9'], secrets: secret(`secret = ${KEY}`, 'id-1 = 198.51.100.2') },
  ],
  [
    'a secret for an address beside it will not',
    { conn: ['remote_addrs = 198.51.100.3-198.51.100.9'], secrets: secret(`secret = ${KEY}`, 'id-1 = 198.51.100.2') },
    warning('no-secret', 'id = gw2.example.org', /has no secret/),
  ],
  [
    'an address that the name of the peer may turn out to have will do',
    { conn: ['remote_addrs = gw.example.org'], secrets: secret(`secret = ${KEY}`, 'id-1 = 198.51.100.2') },
  ],
  ['a secret that names us alone will do', { secrets: secret(`secret = ${KEY}`, 'id-1 = gw1.example.org') }],
  ['a secret for %any and us will do', { secrets: secret(`secret = ${KEY}`, 'id-1 = %any \n id-2 = gw1.example.org') }],
  [
    'a secret between us and somebody else will not',
    { secrets: secret(`secret = ${KEY}`, 'id-1 = gw1.example.org \n id-2 = somebody.else.example.org') },
    warning('no-secret', 'id = gw2.example.org', /has no secret/),
  ],
  [
    'one secret without an owner for several peers',
    {
      connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24'),
      secrets: secret(`secret = ${KEY}`, ''),
    },
    warning('psk-for-anybody', 'secret =', /^the secret for anybody is that of the connections office, branch: /),
  ],
  ['one secret without an owner for one peer is in order', { secrets: secret(`secret = ${KEY}`, '') }],
  [
    'a secret without an owner that only one peer falls back to is in order',
    {
      connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24'),
      secrets: `${secret(`secret = ${KEY}`, '')}\nike-2 {\n id-1 = gw3.example.org \n secret = ${KEY}3 \n}`,
    },
  ],

  // --- connections behind others
  [
    'a connection that another one hides',
    {
      connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24', '198.51.100.2', 'gw2.example.org'),
    },
    warning('shadowed', 'branch', /connection branch: office \(line 2\) .*stands before it/),
  ],
  [
    'another name for the peer tells connections apart',
    {
      connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24', '198.51.100.2'),
      secrets: TWO_SECRETS,
    },
  ],
  [
    'other proposals tell connections apart',
    {
      conn: ['proposals = aes256gcm16-prfsha384-ecp384'],
      connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24', '198.51.100.2', 'gw2.example.org'),
    },
  ],
  [
    'a wider address is no cover for a narrower one',
    {
      conn: ['remote_addrs = 198.51.100.0/24'],
      connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24', '198.51.100.2', 'gw2.example.org'),
    },
  ],

  [
    'a range within another of the same names is hidden',
    {
      conn: ['remote_addrs = 198.51.100.1-198.51.100.9'],
      connections: SECOND(
        'local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24',
        '198.51.100.1-198.51.100.9',
        'gw2.example.org',
      ),
    },
    warning('shadowed', 'branch', /stands before it/),
  ],
  [
    'the same name for the address of the peer hides',
    {
      conn: ['remote_addrs = gw.example.org'],
      connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24', 'gw.example.org', 'gw2.example.org'),
    },
    warning('shadowed', 'branch', /stands before it/),
  ],
  [
    'another name does not',
    {
      conn: ['remote_addrs = gw.example.org'],
      connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24', 'gw9.example.org', 'gw2.example.org'),
    },
  ],
  [
    'a range that reaches further than another is not hidden',
    {
      conn: ['remote_addrs = 198.51.100.1-198.51.100.9'],
      connections: SECOND(
        'local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24',
        '198.51.100.1-198.51.100.10',
        'gw2.example.org',
      ),
    },
  ],
  [
    'a connection of one version hides none of another',
    {
      conn: ['version = 1'],
      connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24', '198.51.100.2', 'gw2.example.org'),
    },
  ],
  [
    'whom the peer asks for tells connections apart',
    {
      local: ['id = another.example.org'],
      connections: SECOND('local_ts = 10.1.0.0/24 \n remote_ts = 10.3.0.0/24', '198.51.100.2', 'gw2.example.org'),
    },
  ],

  // --- times
  [
    'a child that outlives the IKE SA',
    { child: ['rekey_time = 8h'] },
    warning('child-outlives-ike', 'rekey_time', /^child net keeps its keys for 8h, .* only for 4h/),
  ],
  ['a child that lives as long as the IKE SA', { child: ['rekey_time = 4h'] }],
  [
    'an IKE SA that reauthenticates sooner counts',
    { conn: ['reauth_time = 30m'] },
    warning('child-outlives-ike', 'net', /for 1h, .* only for 30m/),
  ],
  [
    'a child that never renews its keys',
    { child: ['rekey_time = 0'] },
    warning('never-renewed', 'rekey_time', /^child net/),
  ],
  [
    'an IKE SA that never renews its keys',
    { conn: ['rekey_time = 0'] },
    warning('never-renewed', 'rekey_time', /^connection office/),
  ],
  [
    'a replay window of none',
    { child: ['replay_window = 0'] },
    warning('replay-unchecked', 'replay_window', /replay window is 0$/),
  ],
  [
    'a time-out without a question',
    { conn: ['dpd_delay = ', 'dpd_timeout = 60s'] },
    warning('dpd-unasked', 'dpd_timeout', /never asks whether the peer is alive/),
  ],
  [
    'an answer to a death that nobody looks for',
    { conn: ['dpd_delay = '], child: ['dpd_action = restart'] },
    warning('dpd-unasked', 'dpd_action', /^child net says what to do when the peer is dead/),
  ],
  ['no question and nothing to do about it', { conn: ['dpd_delay = '] }],
  [
    'a time-out that one lost packet exhausts',
    { conn: ['dpd_timeout = 30s'] },
    warning('dpd-hasty', 'dpd_timeout', /gives the peer up 30s after its last packet, and asks after 30s/),
  ],
  ['a time-out that leaves one repetition', { conn: ['dpd_timeout = 31s'] }],
  ['a time-out just as long as the repetitions', { conn: ['dpd_timeout = 61s'] }],
  ['the times of UCloud', { conn: ['dpd_delay = 8s', 'dpd_timeout = 13s'] }],
  [
    'a time-out that never comes in IKEv2',
    { conn: ['dpd_timeout = 150s'] },
    info('dpd-late', 'dpd_timeout', /dpd_timeout is 150s, .* given up earlier, 61s/),
  ],
  ['in IKEv1 it does', { conn: ['version = 1', 'dpd_timeout = 150s'] }],
  [
    'a request that is sent once',
    { conn: ['retransmit {\n tries = 1 \n}'] },
    warning('retransmit-once', 'tries', /says everything once/),
  ],
  [
    'retransmission that is over in no time',
    { conn: ['retransmit {\n base = 100ms \n tries = 3 \n}'] },
    warning('retransmit-hasty', 'tries', /gives up after 700ms/),
  ],
];

for (const [name, change, ...expected] of ROWS) {
  test(name, () => expectFindings(conf(change), expected));
}

test('[C5] small groups and small blocks are never offered without a word', () => {
  for (const group of ['modp768', 'modp1024', 'modp1536', 'modp2048s256']) {
    const named = warning('weak-algorithm', 'proposals', new RegExp(`: MODP_${/\d+/.exec(group)?.[0]}`));
    expectFindings(conf({ conn: [`proposals = aes256-sha256-${group}`] }), [named]);
  }
  for (const cipher of ['3des', 'des']) {
    const child = [`esp_proposals = ${cipher}-sha256-modp3072`, 'life_bytes = 5g'];
    const named = warning('weak-algorithm', 'esp_proposals', /: 3?DES_CBC$/);
    expectFindings(conf({ child }), [named, warning('small-block-volume', 'life_bytes', /5 GiB/)]);
  }
});

test('[E7] no selector swallows a gateway without a word', () => {
  const swallows = (remote: string, ...expected: Expected[]) =>
    expectFindings(conf({ child: [`remote_ts = 10.2.0.0/24, ${remote}`] }), expected);
  swallows('198.51.100.2/31', warning('peer-in-tunnel', 'remote_ts', /198\.51\.100\.2 lies in 198\.51\.100\.2\/31/));
  swallows('192.0.2.1/32', warning('own-address-in-tunnel', 'remote_ts', /192\.0\.2\.1 lies in 192\.0\.2\.1\/32/));
  swallows('198.51.100.4/30');
});
