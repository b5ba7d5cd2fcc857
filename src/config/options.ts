// Every option of swanctl.conf, once: what it is called, which values it takes, what it is when it is not written, and
// whether it is honoured. The parser's checks, the reference, the sample file and the linter are made from this table.
// The names and defaults are those of strongSwan's swanctl.conf(5), 6.0; `since: 'espalier'` marks our own.

import { CHILDREN } from './options/child.ts';
import {
  CONN,
  has,
  ignores,
  MAX,
  NO_CERTIFICATES,
  NO_EAP,
  NO_KERNEL,
  NOT_YET,
  type Option,
  OWN,
  refuses,
} from './options/option.ts';
import {
  addresses,
  choice,
  decimal,
  duration,
  identity,
  integer,
  list,
  peers,
  percent,
  proposals,
  secret,
  section,
  text,
  yesno,
} from './schema.ts';

const LOCAL = `${CONN}.local<suffix>`;
const REMOTE = `${CONN}.remote<suffix>`;

const CONNECTION: readonly Option[] = [
  has('connections', section, '', 'The connections, each in a section of its own.'),
  has(CONN, section, '', 'A connection: one peer, or several that are treated alike. The name is yours to choose.'),
  has(`${CONN}.version`, choice(['0', '1', '2']), '0', 'IKE version; 0 accepts both and begins with IKEv2.', {
    example: '2',
  }),
  has(
    `${CONN}.local_addrs`,
    addresses,
    '%any',
    'Our own addresses. The first single one is the source when we begin.',
    {
      example: '192.0.2.1',
    },
  ),
  has(
    `${CONN}.remote_addrs`,
    peers,
    '%any',
    "The peer's addresses. When we begin, the first single one that has a route is called, and while none answers the others in turn. A host name is looked up then, " +
      'and every minute; while that fails, its last known address counts.',
    {
      example: '198.51.100.1',
    },
  ),
  ignores(
    `${CONN}.local_port`,
    integer(1, 65535),
    '500',
    'Our UDP port.',
    'the ports of all connections are those of the daemon: --port and --nat-port',
  ),
  has(`${CONN}.remote_port`, integer(1, 65535), '500', "The peer's UDP port."),
  has(`${CONN}.proposals`, proposals, 'default', 'Algorithms for IKE, most wanted first.', {
    example: 'aes256gcm16-prfsha384-ecp384, aes256-sha256-modp2048',
  }),
  refuses(`${CONN}.vips`, list, '', 'Virtual addresses to ask the peer for.', `virtual addresses are ${NOT_YET}`),
  has(
    `${CONN}.aggressive`,
    yesno,
    'no',
    'In IKEv1: begin in aggressive mode, and take peers that do; without meaning in IKEv2.',
  ),
  has(
    `${CONN}.delete_rekeyed`,
    yesno,
    'no',
    'In IKEv1: delete an SA as soon as it is replaced, instead of leaving it to the end of its life.',
  ),
  has(
    `${CONN}.dpd_mode`,
    choice(['periodic', 'on-demand']),
    'periodic',
    'In IKEv1: check an idle peer always (periodic), or only while we send and hear nothing (on-demand).',
  ),
  ignores(`${CONN}.pull`, yesno, 'yes', 'Mode Config by pull (yes) or push (no).', `virtual addresses are ${NOT_YET}`),
  ignores(`${CONN}.dscp`, text, '000000', 'DSCP of our IKE packets, six binary digits.', NOT_YET),
  has(
    `${CONN}.encap`,
    choice(['auto', 'yes', 'no']),
    'auto',
    'ESP in UDP: where a NAT is seen (auto; no means the same), or always (yes).',
  ),
  ignores(`${CONN}.mobike`, yesno, 'no', 'MOBIKE (RFC 4555), which lets addresses change under a connection.', NOT_YET),
  has(
    `${CONN}.dpd_delay`,
    duration,
    '0s',
    'Check that the peer is alive after this long without a packet from it; 0 never.',
    {
      example: '30s',
    },
  ),
  has(
    `${CONN}.dpd_timeout`,
    duration,
    '0s',
    'Give the peer up when a check has no answer for this long, in IKEv2 too; 0 leaves it to retransmission.',
  ),
  has(
    `${CONN}.fragmentation`,
    choice(['yes', 'accept', 'force', 'no']),
    'yes',
    'Fragment large IKE messages (RFC 7383): if the peer can take it (yes), always (force), only take theirs (accept), no.',
  ),
  has(
    `${CONN}.fragment_size`,
    integer(576, 65535),
    '1280',
    'Largest IKE datagram before it is fragmented, IP header included.',
    OWN,
  ),
  has(
    `${CONN}.childless`,
    choice(['allow', 'prefer', 'force', 'never']),
    'allow',
    'An IKE SA without a child at first (RFC 6023).',
  ),
  ignores(`${CONN}.send_certreq`, yesno, 'yes', 'Send certificate requests.', NO_CERTIFICATES),
  ignores(
    `${CONN}.send_cert`,
    choice(['ifasked', 'always', 'never']),
    'ifasked',
    'Send certificates.',
    NO_CERTIFICATES,
  ),
  ignores(
    `${CONN}.ocsp`,
    choice(['reply', 'request', 'both', 'never']),
    'reply',
    'OCSP within IKEv2.',
    NO_CERTIFICATES,
  ),
  refuses(`${CONN}.ppk_id`, text, '', 'Identity of the post-quantum pre-shared key (RFC 8784).', NOT_YET),
  refuses(`${CONN}.ppk_required`, yesno, 'no', 'Insist on a post-quantum pre-shared key.', NOT_YET),
  has(
    `${CONN}.keyingtries`,
    integer(0, 1000),
    '3',
    'Attempts before the connection is called failed; 0 tries for ever. (strongSwan: 1.)',
  ),
  has(
    `${CONN}.retry_interval`,
    duration,
    '12s',
    'Wait after a failure before trying again; 0 does not try again.',
    OWN,
  ),
  has(
    `${CONN}.unique`,
    choice(['no', 'never', 'keep', 'replace']),
    'no',
    'A second connection of the same peer: allow it (no, never), refuse it (keep), or end the first (replace).',
  ),
  has(`${CONN}.reauth_time`, duration, '0s', 'Authenticate anew after this long; 0 never.'),
  has(`${CONN}.rekey_time`, duration, '4h', 'New IKE keys after this long; 0 (and by default with reauth_time) never.'),
  has(`${CONN}.over_time`, duration, '', 'End the IKE SA when renewal has not succeeded this long after it was due.', {
    computed: '10% of the longer of rekey_time and reauth_time',
  }),
  has(
    `${CONN}.rand_time`,
    duration,
    '',
    'Renew earlier by a random part of this, so that the two sides do not collide.',
    {
      computed: 'over_time, at most half of the shorter of rekey_time and reauth_time',
    },
  ),
  refuses(`${CONN}.pools`, list, '', 'Pools of virtual addresses for the peer.', `virtual addresses are ${NOT_YET}`),
  refuses(`${CONN}.if_id_in`, text, '0', 'XFRM interface id, inbound.', NO_KERNEL),
  refuses(`${CONN}.if_id_out`, text, '0', 'XFRM interface id, outbound.', NO_KERNEL),
  refuses(`${CONN}.mediation`, yesno, 'no', 'IKEv2 mediation.', NOT_YET),
  refuses(`${CONN}.mediated_by`, text, '', 'The mediation connection to use.', `mediation is ${NOT_YET}`),
  refuses(`${CONN}.mediation_peer`, identity, '', 'Identity at the mediation server.', `mediation is ${NOT_YET}`),
  has(
    `${CONN}.nat_keepalive`,
    duration,
    '20s',
    'Keep a NAT open with a byte after this long without a packet; 0 never.',
    OWN,
  ),
  has(`${CONN}.retransmit`, section, '', 'When a request is repeated, and when it is given up.', OWN),
  has(
    `${CONN}.retransmit.profile`,
    choice(['default', 'huawei']),
    'default',
    'default: after 1, 2, 4, 8 s, given up 16 s later; huawei: after 1, 2 … 64 s, eight transmissions.',
    OWN,
  ),
  has(`${CONN}.retransmit.base`, duration, '', 'First wait.', { ...OWN, computed: '1s' }),
  has(`${CONN}.retransmit.factor`, decimal(1, 10), '', 'From one wait to the next.', { ...OWN, computed: '2' }),
  has(`${CONN}.retransmit.tries`, integer(1, 100), '', 'Transmissions in all, the first one included.', {
    ...OWN,
    computed: 'of the profile: 5, or 8',
  }),
  has(`${CONN}.retransmit.limit`, duration, '', 'No wait is longer.', {
    ...OWN,
    computed: 'of the profile: 60s, or 64s',
  }),
  has(`${CONN}.retransmit.jitter`, percent(100), '', 'Shorten each wait by a random share up to this.', {
    ...OWN,
    computed: '0%',
  }),
];

function tokens(parent: string, about: string): Option[] {
  return [
    refuses(parent, section, '', about, NO_CERTIFICATES),
    refuses(`${parent}.file`, text, '', 'File of the certificate.', NO_CERTIFICATES),
    refuses(`${parent}.handle`, text, '', 'CKA_ID of the certificate on a token, hexadecimal.', NO_CERTIFICATES),
    refuses(`${parent}.slot`, text, '', 'Slot of the token.', NO_CERTIFICATES),
    refuses(`${parent}.module`, text, '', 'PKCS#11 module of the token.', NO_CERTIFICATES),
  ];
}

const AUTHENTICATION: readonly Option[] = [
  has(LOCAL, section, '', 'How we prove who we are.'),
  ignores(`${LOCAL}.round`, integer(0, MAX), '0', 'Order of several rounds.', `several rounds are ${NOT_YET}`),
  has(`${LOCAL}.auth`, text, 'pubkey', 'How: psk, a pre-shared key. (Not yet: pubkey, eap, xauth.)', {
    example: 'psk',
  }),
  has(`${LOCAL}.id`, identity, '', 'Our identity.', { computed: 'our address', example: 'gw1.example.org' }),
  refuses(`${LOCAL}.certs`, list, '', 'Our certificates.', NO_CERTIFICATES),
  ...tokens(`${LOCAL}.cert<suffix>`, 'A certificate of ours.'),
  refuses(`${LOCAL}.pubkeys`, list, '', 'Our raw public keys.', NO_CERTIFICATES),
  refuses(`${LOCAL}.eap_id`, text, '', 'Our identity in EAP.', NO_EAP),
  refuses(`${LOCAL}.aaa_id`, text, '', "The EAP server's identity.", NO_EAP),
  refuses(`${LOCAL}.xauth_id`, text, '', 'Our name in XAuth.', NO_EAP),
  has(REMOTE, section, '', 'How the peer must prove who it is.'),
  ignores(`${REMOTE}.round`, integer(0, MAX), '0', 'Order of several rounds.', `several rounds are ${NOT_YET}`),
  has(`${REMOTE}.auth`, text, 'pubkey', 'How: psk, a pre-shared key. (Not yet: pubkey, eap, xauth.)', {
    example: 'psk',
  }),
  has(`${REMOTE}.id`, identity, '%any', "The peer's identity.", { example: 'gw2.example.org' }),
  refuses(`${REMOTE}.eap_id`, text, '', "The peer's identity in EAP.", NO_EAP),
  refuses(`${REMOTE}.groups`, list, '', 'Groups that the peer must belong to.', NOT_YET),
  refuses(`${REMOTE}.cert_policy`, list, '', 'Policies that its certificate must have.', NO_CERTIFICATES),
  refuses(`${REMOTE}.certs`, list, '', 'Certificates to accept.', NO_CERTIFICATES),
  ...tokens(`${REMOTE}.cert<suffix>`, 'A certificate to accept.'),
  refuses(`${REMOTE}.cacerts`, list, '', 'Authorities to accept certificates of.', NO_CERTIFICATES),
  ...tokens(`${REMOTE}.cacert<suffix>`, 'An authority to accept certificates of.'),
  refuses(`${REMOTE}.ca_id`, identity, '', "The authority's identity.", NO_CERTIFICATES),
  refuses(`${REMOTE}.pubkeys`, list, '', 'Raw public keys to accept.', NO_CERTIFICATES),
  refuses(
    `${REMOTE}.revocation`,
    choice(['relaxed', 'ifuri', 'strict']),
    'relaxed',
    'How strictly revocation is checked.',
    NO_CERTIFICATES,
  ),
];

function passphrase(kind: string): Option[] {
  return [
    ignores(`secrets.${kind}<suffix>`, section, '', `Passphrase of a key in ${kind}.`, NO_CERTIFICATES),
    ignores(`secrets.${kind}<suffix>.file`, text, '', 'File of the key.', NO_CERTIFICATES),
    ignores(`secrets.${kind}<suffix>.secret`, secret, '', 'The passphrase.', NO_CERTIFICATES),
  ];
}

function unused(kind: string, about: string, reason: string): Option[] {
  return [
    ignores(`secrets.${kind}<suffix>`, section, '', about, reason),
    ignores(`secrets.${kind}<suffix>.secret`, secret, '', 'The secret.', reason),
    ignores(`secrets.${kind}<suffix>.id<suffix>`, text, '', 'Whose it is.', reason),
  ];
}

const SECRETS: readonly Option[] = [
  has('secrets', section, '', 'Pre-shared keys. The file must then be readable by the daemon only.'),
  has('secrets.ike<suffix>', section, '', 'A pre-shared key.'),
  has(
    'secrets.ike<suffix>.id<suffix>',
    identity,
    '',
    'Whom it is for: both ends, the peer, or nobody, which means anybody.',
    {
      example: 'gw2.example.org',
    },
  ),
  has('secrets.ike<suffix>.secret', secret, '', 'The key; it must not be short or easy to guess.'),
  ...unused('eap', 'Secret for EAP or XAuth.', NO_EAP),
  ...unused('xauth', 'Secret for EAP or XAuth.', NO_EAP),
  ...unused('ntlm', 'NT hash for EAP-MSCHAPv2.', NO_EAP),
  ...unused('ppk', 'Post-quantum pre-shared key (RFC 8784).', `post-quantum pre-shared keys are ${NOT_YET}`),
  ...['private', 'rsa', 'ecdsa', 'pkcs8', 'pkcs12'].flatMap(passphrase),
  ignores('secrets.token<suffix>', section, '', 'A key on a token.', NO_CERTIFICATES),
  ignores('secrets.token<suffix>.handle', text, '', 'CKA_ID of the key, hexadecimal.', NO_CERTIFICATES),
  ignores('secrets.token<suffix>.slot', text, '', 'Slot of the token.', NO_CERTIFICATES),
  ignores('secrets.token<suffix>.module', text, '', 'PKCS#11 module of the token.', NO_CERTIFICATES),
  ignores('secrets.token<suffix>.pin', secret, '', 'PIN of the token.', NO_CERTIFICATES),
];

const NO_POOLS = `virtual addresses are ${NOT_YET}`;

const OTHERS: readonly Option[] = [
  ignores('pools', section, '', 'Pools of virtual addresses.', NO_POOLS),
  ignores('pools.<name>', section, '', 'A pool.', NO_POOLS),
  ignores('pools.<name>.addrs', text, '', 'Prefix or range of the addresses.', NO_POOLS),
  ignores('pools.<name>.<attr>', list, '', 'Further attributes for the peer.', NO_POOLS),
  ignores('authorities', section, '', 'Certification authorities.', NO_CERTIFICATES),
  ignores('authorities.<name>', section, '', 'An authority.', NO_CERTIFICATES),
  ignores('authorities.<name>.cacert', text, '', 'Its certificate.', NO_CERTIFICATES),
  ignores('authorities.<name>.file', text, '', 'File of its certificate.', NO_CERTIFICATES),
  ignores('authorities.<name>.handle', text, '', 'CKA_ID of its certificate on a token, hexadecimal.', NO_CERTIFICATES),
  ignores('authorities.<name>.slot', text, '', 'Slot of the token.', NO_CERTIFICATES),
  ignores('authorities.<name>.module', text, '', 'PKCS#11 module of the token.', NO_CERTIFICATES),
  ignores('authorities.<name>.crl_uris', list, '', 'Where its revocation lists are.', NO_CERTIFICATES),
  ignores('authorities.<name>.ocsp_uris', list, '', 'Where its OCSP responders are.', NO_CERTIFICATES),
  ignores('authorities.<name>.cert_uri_base', text, '', 'Base of hash-and-URL certificates.', NO_CERTIFICATES),
];

export const OPTIONS: readonly Option[] = [...CONNECTION, ...AUTHENTICATION, ...CHILDREN, ...SECRETS, ...OTHERS];
