// Every keyword of ipsec.conf and every kind of entry of ipsec.secrets, once, as `options.ts` has those of swanctl.conf.
// Names and defaults are those of strongSwan 5.9's ipsec.conf(5) and ipsec.secrets(5); what older ones had besides is
// here too, so that old files can be told what became of it.

import { has, ignores, MAX, NO_CERTIFICATES, NO_EAP, NOT_YET, type Option, refuses } from '../options/option.ts';
import {
  choice,
  count,
  identity,
  integer,
  list,
  percent,
  proposals,
  secret,
  section,
  size,
  strictDuration,
  text,
  yesno,
} from '../schema.ts';
import { ends } from './keywords/end.ts';
import { like, OF_CHILD, OF_CONN, obsolete } from './keywords/option.ts';

const SETUP: readonly Option[] = [
  has('setup', section, '', 'What is for all connections.'),
  has(
    'setup.uniqueids',
    choice(['yes', 'no', 'never', 'replace', 'keep']),
    'yes',
    'A second connection of the same peer: end the first (yes, replace), allow it (no, never), or refuse it (keep).',
  ),
  ignores('setup.charondebug', text, '', 'What is logged.', "the daemon's option --log-level says how much is logged"),
  ignores('setup.cachecrls', yesno, 'no', 'Keep revocation lists on disk.', NO_CERTIFICATES),
  ignores(
    'setup.strictcrlpolicy',
    choice(['no', 'yes', 'ifuri']),
    'no',
    'How strictly revocation is checked.',
    NO_CERTIFICATES,
  ),
  ...obsolete(
    'setup',
    `interfaces dumpdir charonstart plutostart klipsdebug plutodebug prepluto postpluto plutostderrlog fragicmp
    packetdefault hidetos overridemtu crlcheckinterval nocrsend keep_alive force_keepalive virtual_private
    pkcs11module pkcs11initargs pkcs11keepstate pkcs11proxy`,
  ),
  ignores('setup.nat_traversal', text, '', 'Let NATs be between.', 'NATs are looked for always'),
];

const CONNECTION: readonly Option[] = [
  has('conn', section, '', 'A connection. Those of one name are one; conn %default is for all of them.'),
  has('conn.also', text, '', 'Another conn, whose settings count where this one has none.'),
  has(
    'conn.auto',
    choice(['ignore', 'add', 'route', 'start']),
    'ignore',
    'When loaded: nothing (ignore), wait to be asked (add), wait for traffic (route), or begin at once (start).',
    { example: 'start' },
  ),
  has(
    'conn.keyexchange',
    choice(['ike', 'ikev1', 'ikev2']),
    'ike',
    'IKE version; ike accepts both and begins with IKEv2.',
    { example: 'ikev2' },
  ),
  has(
    'conn.type',
    choice(
      ['tunnel', 'transport', 'transport_proxy', 'beet', 'passthrough', 'drop', 'reject'],
      [['pass', 'passthrough']],
    ),
    'tunnel',
    'tunnel: for the networks of both sides; transport: for the two gateways alone, without another IP header.',
    {
      refuses: [
        ['transport_proxy', `transport mode for others is ${NOT_YET}`],
        ['beet', `BEET mode is ${NOT_YET}`],
        ['passthrough', `policies that let traffic pass in the clear are ${NOT_YET}`],
        ['drop', `policies that drop traffic are ${NOT_YET}`],
        ['reject', `policies that reject traffic are ${NOT_YET}`],
      ],
    },
  ),
  has(
    'conn.authby',
    choice([
      ...['psk', 'secret', 'pubkey', 'rsa', 'rsasig', 'ecdsa', 'ecdsasig'],
      ...['xauthpsk', 'xauthrsasig', 'never'],
    ]),
    'pubkey',
    'How both sides authenticate: psk or secret, a pre-shared key. (Not yet: the others.)',
    {
      example: 'psk',
      refuses: [
        ...['pubkey', 'rsa', 'rsasig', 'ecdsa', 'ecdsasig'].map((word) => [word, NO_CERTIFICATES] as const),
        ...['xauthpsk', 'xauthrsasig'].map((word) => [word, NO_EAP] as const),
        ['never', `it goes with type=passthrough or drop, which are ${NOT_YET}`],
      ],
    },
  ),
  has(
    'conn.ike',
    proposals,
    'default',
    'Algorithms for IKE, most wanted first; the defaults come after them, unless the last character is "!".',
    { example: 'aes256-sha256-modp2048!' },
  ),
  has(
    'conn.esp',
    proposals,
    'default',
    'Algorithms for ESP, in the same way; with a group, keys are renewed with it (PFS).',
    { example: 'aes256gcm16-ecp384!' },
  ),
  has(
    'conn.ah',
    proposals,
    '',
    'Algorithms for AH, which then takes the place of ESP: packets are authenticated, not encrypted.',
  ),
  has('conn.ikelifetime', strictDuration, '3h', 'The IKE SA ends at this age, and is renewed before.'),
  has('conn.lifetime', strictDuration, '1h', 'The child ends at this age, and gets new keys before.'),
  has('conn.keylife', strictDuration, '1h', 'The same as lifetime.'),
  has('conn.margintime', strictDuration, '9m', 'How long before they end SAs are renewed.'),
  has('conn.rekeymargin', strictDuration, '9m', 'The same as margintime.'),
  has(
    'conn.rekeyfuzz',
    percent(1000, true),
    '100%',
    'Margins are made longer by a random part of them up to this, so that the two sides do not collide.',
  ),
  has('conn.lifebytes', count, '0', 'The child ends after this many bytes; 0 without limit.'),
  has('conn.marginbytes', count, '0', 'How many bytes before that it gets new keys.'),
  has('conn.lifepackets', count, '0', 'The child ends after this many packets; 0 without limit.'),
  has('conn.marginpackets', count, '0', 'How many packets before that it gets new keys.'),
  has('conn.rekey', yesno, 'yes', 'Renew SAs before they end; no leaves it to the peer, and lets them live for ever.'),
  has('conn.reauth', yesno, 'yes', 'Renew the IKE SA by authenticating anew; in IKEv1 there is nothing else.'),
  has('conn.keyingtries', size(0, 1000, ['%forever']), '3', 'Attempts before the connection is called failed.'),
  has(
    'conn.dpdaction',
    choice(['none', 'clear', 'hold', 'restart']),
    'none',
    'Check whether the peer is alive, unless none; when it is not, end the child, wait for traffic, or begin anew.',
  ),
  has('conn.dpddelay', strictDuration, '30s', 'With dpdaction: check after this long without a packet from the peer.'),
  has(
    'conn.dpdtimeout',
    strictDuration,
    '150s',
    'Give the peer up when a check has no answer for this long, in IKEv2 too (where strongSwan does not look at it).',
  ),
  has(
    'conn.closeaction',
    choice(['none', 'clear', 'hold', 'restart']),
    'none',
    'When the peer ends the child: nothing, wait for traffic to begin it anew, or begin it anew at once.',
  ),
  like('conn.aggressive', OF_CONN('aggressive'), yesno, 'no'),
  like('conn.fragmentation', OF_CONN('fragmentation'), choice(['yes', 'accept', 'force', 'no']), 'yes'),
  has('conn.forceencaps', yesno, 'no', 'ESP in UDP always, and not only where a NAT is seen.'),
  has(
    'conn.replay_window',
    size(0, 4096, ['-1']),
    '-1',
    'Packets of the replay window; 0 switches the check off, -1 is 128.',
  ),
  like('conn.sha256_96', OF_CHILD('sha256_96'), yesno, 'no'),
  like('conn.mobike', OF_CONN('mobike'), yesno, 'no'),
  like('conn.compress', OF_CHILD('ipcomp'), yesno, 'no'),
  like('conn.inactivity', OF_CHILD('inactivity'), strictDuration, '0s'),
  like('conn.installpolicy', OF_CHILD('policies'), yesno, 'yes'),
  like('conn.ikedscp', OF_CONN('dscp'), text, '000000'),
  like('conn.reqid', OF_CHILD('reqid'), integer(0, MAX), '0'),
  like('conn.mark', OF_CHILD('mark_out'), text, '0'),
  like('conn.mark_in', OF_CHILD('mark_in'), text, '0'),
  like('conn.mark_out', OF_CHILD('mark_out'), text, '0'),
  like('conn.tfc', OF_CHILD('tfc_padding'), text, '0'),
  like('conn.mediation', OF_CONN('mediation'), yesno, 'no'),
  like('conn.mediated_by', OF_CONN('mediated_by'), text, ''),
  like('conn.me_peerid', OF_CONN('mediation_peer'), identity, ''),
  ignores(
    'conn.modeconfig',
    choice(['pull', 'push']),
    'pull',
    'How virtual addresses come.',
    `virtual addresses are ${NOT_YET}`,
  ),
  ignores('conn.xauth', choice(['client', 'server']), 'client', 'Our part in XAuth.', NO_EAP),
  ignores('conn.xauth_identity', text, '', 'Our name in XAuth.', NO_EAP),
  ignores('conn.eap_identity', text, '', 'The name in EAP.', NO_EAP),
  ignores('conn.aaa_identity', text, '', "The EAP server's identity.", NO_EAP),
  refuses(
    'conn.auth',
    choice(['esp', 'ah']),
    'esp',
    'Authenticate packets by AH beside ESP.',
    'a child has AH or ESP, not both: see ah=',
  ),
  ignores('conn.pfs', text, '', 'Whether keys are renewed with a key exchange.', 'a group in esp= decides about PFS'),
  ignores('conn.pfsgroup', text, '', 'The group of PFS.', 'a group in esp= decides about PFS'),
  ...obsolete('conn', 'eap'),
];

const AUTHORITIES: readonly Option[] = [
  ignores('ca', section, '', 'A certification authority.', NO_CERTIFICATES),
  ignores('ca.also', text, '', 'Another ca, whose settings count where this one has none.', NO_CERTIFICATES),
  ignores('ca.auto', choice(['ignore', 'add', 'route', 'start']), 'ignore', 'Whether it is loaded.', NO_CERTIFICATES),
  ignores('ca.cacert', text, '', 'File of its certificate.', NO_CERTIFICATES),
  ...['crluri', 'crluri1', 'crluri2'].map((name) =>
    ignores(`ca.${name}`, text, '', 'Where its revocation lists are.', NO_CERTIFICATES),
  ),
  ...['ocspuri', 'ocspuri1', 'ocspuri2'].map((name) =>
    ignores(`ca.${name}`, text, '', 'Where its OCSP responders are.', NO_CERTIFICATES),
  ),
  ignores('ca.certuribase', text, '', 'Base of hash-and-URL certificates.', NO_CERTIFICATES),
  ...obsolete('ca', 'ldaphost ldapbase'),
];

export const KEYWORDS: readonly Option[] = [...SETUP, ...CONNECTION, ...ends('left'), ...ends('right'), ...AUTHORITIES];

export const KINDS: readonly Option[] = [
  has('secrets.PSK', secret, '', 'A pre-shared key: "it", 0x and hexadecimal, or 0s and base64.'),
  ...['RSA', 'ECDSA', 'BLISS', 'PKCS8', 'P12'].map((kind) =>
    ignores(`secrets.${kind}`, list, '', 'A private key in a file, and its passphrase.', NO_CERTIFICATES),
  ),
  ignores('secrets.PIN', secret, '', 'A key on a smartcard, and its PIN.', NO_CERTIFICATES),
  ignores('secrets.EAP', secret, '', 'A password for EAP.', NO_EAP),
  ignores('secrets.NTLM', secret, '', 'The NT hash of a password for EAP.', NO_EAP),
  ignores('secrets.XAUTH', secret, '', 'A password for XAuth.', NO_EAP),
];

const BY_PATH = new Map([...KEYWORDS, ...KINDS].map((option) => [option.path, option]));

/** By its path, such as `conn.leftid`; undefined where there is none. */
export function keyword(path: string): Option | undefined {
  return BY_PATH.get(path);
}

/** The same for a path of ours. */
export function keywordAt(path: string): Option {
  const option = BY_PATH.get(path);
  if (!option) throw new Error(`${path} is no keyword`);
  return option;
}

/** Other spellings of a keyword, by spelling. */
export const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ['keylife', 'lifetime'],
  ['rekeymargin', 'margintime'],
  ['leftsubnetwithin', 'leftsubnet'],
  ['rightsubnetwithin', 'rightsubnet'],
  ['leftrsasigkey', 'leftsigkey'],
  ['rightrsasigkey', 'rightsigkey'],
  ['crluri1', 'crluri'],
  ['ocspuri1', 'ocspuri'],
]);
