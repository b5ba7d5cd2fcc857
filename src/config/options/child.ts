// The options of a child: `connections.<conn>.children.<child>`.

import {
  choice,
  command,
  count,
  duration,
  integer,
  proposals,
  section,
  selectors,
  size,
  text,
  volume,
  yesno,
} from '../schema.ts';
import { CONN, type Extra, has, ignores, MAX, NO_KERNEL, NOT_YET, type Option, OWN, refuses } from './option.ts';

const CHILD = `${CONN}.children.<child>`;

const ACTIONS = [
  ['route', 'trap'],
  ['hold', 'trap'],
] as const;

const MARK: Extra = { neutral: ['0/0', '0/0x0', '0x0/0x0'] };

export const CHILDREN: readonly Option[] = [
  has(`${CONN}.children`, section, '', 'The tunnels of the connection, each in a section of its own.'),
  has(CHILD, section, '', 'A tunnel: one CHILD_SA, with its traffic selectors and keys.'),
  has(
    `${CHILD}.ah_proposals`,
    proposals,
    '',
    'Algorithms for AH, which then takes the place of ESP: packets are authenticated, not encrypted. Never through a NAT.',
  ),
  has(
    `${CHILD}.esp_proposals`,
    proposals,
    'default',
    'Algorithms for ESP; with a group, keys are renewed with it (PFS); with esn, packets are counted in 64 bits.',
    {
      example: 'aes256gcm16-ecp384, aes128gcm16',
    },
  ),
  has(
    `${CHILD}.sha256_96`,
    yesno,
    'no',
    'Cut HMAC-SHA-256 to 96 bits, as some old devices do without saying so; the peer must do the same.',
  ),
  has(`${CHILD}.local_ts`, selectors, 'dynamic', 'What is behind us; dynamic is our own address.', {
    example: '10.1.0.0/16',
  }),
  has(`${CHILD}.remote_ts`, selectors, 'dynamic', "What is behind the peer; dynamic is the peer's address.", {
    example: '10.2.0.0/16',
  }),
  has(`${CHILD}.rekey_time`, duration, '1h', 'New keys after this long; 0 never.'),
  has(`${CHILD}.life_time`, duration, '', 'End the child at this age if it was not renewed.', {
    computed: 'rekey_time + 10%',
  }),
  has(`${CHILD}.rand_time`, duration, '', 'Renew earlier by a random part of this.', {
    computed: 'life_time - rekey_time, at most half of rekey_time',
  }),
  has(`${CHILD}.rekey_bytes`, volume, '0', 'New keys after this many bytes; 0 without limit.'),
  has(`${CHILD}.life_bytes`, volume, '', 'End the child after this many bytes.', { computed: 'rekey_bytes + 10%' }),
  has(`${CHILD}.rand_bytes`, volume, '', 'Renew earlier by a random part of this.', {
    computed: 'life_bytes - rekey_bytes, at most half of rekey_bytes',
  }),
  has(`${CHILD}.rekey_packets`, count, '0', 'New keys after this many packets; 0 without limit.'),
  has(`${CHILD}.life_packets`, count, '', 'End the child after this many packets.', {
    computed: 'rekey_packets + 10%',
  }),
  has(`${CHILD}.rand_packets`, count, '', 'Renew earlier by a random part of this.', {
    computed: 'life_packets - rekey_packets, at most half of rekey_packets',
  }),
  has(
    `${CHILD}.updown`,
    command,
    '',
    'Program to run when the child comes and when it goes, not when it is rekeyed: once for each pair of selectors, with ' +
      'PLUTO_VERB and the other variables of strongSwan, without a shell, for 10 s at most. Its failure ends nothing.',
    { example: '/etc/espalier/updown.sh' },
  ),
  has(`${CHILD}.hostaccess`, yesno, 'no', 'Tell the updown program to let this host through, too: PLUTO_HOST_ACCESS.'),
  has(
    `${CHILD}.mode`,
    choice(['tunnel', 'transport', 'transport_proxy', 'beet', 'iptfs', 'pass', 'drop']),
    'tunnel',
    'tunnel: for the networks of both sides; transport: for the two gateways alone, without another IP header.',
    {
      refuses: [
        ['transport_proxy', `transport mode for others is ${NOT_YET}`],
        ['beet', `BEET mode is ${NOT_YET}`],
        ['iptfs', `IP-TFS is ${NOT_YET}`],
        ['pass', `policies that let traffic pass in the clear are ${NOT_YET}`],
        ['drop', `policies that drop traffic are ${NOT_YET}`],
      ],
    },
  ),
  has(
    `${CHILD}.tunnel_fallback`,
    yesno,
    'yes',
    'With mode = transport: take tunnel mode from a peer that does not want transport mode; no refuses the child.',
    OWN,
  ),
  refuses(`${CHILD}.policies`, yesno, 'yes', 'Send traffic through the child by its selectors.', NOT_YET),
  ignores(`${CHILD}.policies_fwd_out`, yesno, 'no', 'Install outbound forward policies.', NO_KERNEL),
  has(
    `${CHILD}.dpd_action`,
    choice(['clear', 'trap', 'restart'], [...ACTIONS, ['none', 'clear'], ['start', 'restart']]),
    'clear',
    'When the peer is dead: end the child, wait for traffic to begin it anew, or begin it anew at once.',
  ),
  ignores(`${CHILD}.ipcomp`, yesno, 'no', 'Compress before encryption (RFC 3173).', NOT_YET),
  ignores(`${CHILD}.inactivity`, duration, '0s', 'End the child after this long without traffic; 0 never.', NOT_YET),
  ignores(`${CHILD}.reqid`, integer(0, MAX), '0', 'Fixed reqid.', NO_KERNEL),
  refuses(`${CHILD}.priority`, integer(0, MAX), '0', 'Fixed priority of the policies.', `priorities are ${NOT_YET}`),
  refuses(`${CHILD}.interface`, text, '', 'Restrict the policies to an interface.', NOT_YET),
  refuses(`${CHILD}.mark_in`, text, '0/0x00000000', 'Netfilter mark that inbound traffic must have.', NO_KERNEL, MARK),
  ignores(`${CHILD}.mark_in_sa`, yesno, 'no', 'Set mark_in on the SA too.', NO_KERNEL),
  refuses(
    `${CHILD}.mark_out`,
    text,
    '0/0x00000000',
    'Netfilter mark that outbound traffic must have.',
    NO_KERNEL,
    MARK,
  ),
  refuses(`${CHILD}.set_mark_in`, text, '0/0x00000000', 'Netfilter mark to set after decryption.', NO_KERNEL, MARK),
  refuses(`${CHILD}.set_mark_out`, text, '0/0x00000000', 'Netfilter mark to set after encryption.', NO_KERNEL, MARK),
  refuses(`${CHILD}.if_id_in`, text, '0', 'XFRM interface id, inbound.', NO_KERNEL),
  refuses(`${CHILD}.if_id_out`, text, '0', 'XFRM interface id, outbound.', NO_KERNEL),
  refuses(`${CHILD}.label`, text, '', 'Security label.', `labels are ${NOT_YET}`),
  ignores(
    `${CHILD}.label_mode`,
    choice(['system', 'simple', 'selinux']),
    'system',
    'How the security label is used.',
    `labels are ${NOT_YET}`,
  ),
  refuses(`${CHILD}.tfc_padding`, text, '0', 'Pad packets to this size, or to the MTU.', NOT_YET),
  has(
    `${CHILD}.replay_window`,
    integer(0, 4096),
    '128',
    'Packets of the replay window; 0 switches the check off. strongSwan’s default is 32.',
  ),
  ignores(`${CHILD}.per_cpu_sas`, choice(['no', 'yes', 'encap']), 'no', 'One SA per processor (RFC 9611).', NOT_YET),
  ignores(
    `${CHILD}.hw_offload`,
    choice(['no', 'yes', 'auto', 'crypto', 'packet']),
    'no',
    'Encryption in the network card.',
    NO_KERNEL,
    { neutral: ['auto'] },
  ),
  has(`${CHILD}.copy_df`, yesno, 'yes', 'Tunnel mode: copy the DF bit to the outer header; no leaves it clear.'),
  has(`${CHILD}.copy_ecn`, yesno, 'yes', 'Tunnel mode: copy ECN to and from the outer header (RFC 6040).'),
  has(
    `${CHILD}.copy_dscp`,
    choice(['out', 'in', 'yes', 'no']),
    'out',
    'Tunnel mode: copy the DSCP to (out), from (in), or both to and from (yes) the outer header.',
  ),
  has(
    `${CHILD}.mss`,
    size(128, 65495, ['auto', 'no']),
    'auto',
    'Largest TCP segment that hosts may agree on: what fits the tunnel (auto), a number of bytes, or as they like (no).',
    OWN,
  ),
  has(
    `${CHILD}.install_routes`,
    yesno,
    'yes',
    'Route the networks of the peer to the device, and block them without a tunnel; no leaves both to you, or to BGP.',
    OWN,
  ),
  has(
    `${CHILD}.start_action`,
    choice(
      ['none', 'trap', 'start', 'trap|start'],
      [...ACTIONS, ['restart', 'start'], ['clear', 'none'], ['start|trap', 'trap|start']],
    ),
    'none',
    'After loading: wait to be asked, wait for traffic, or begin at once.',
    { refuses: [['trap|start', `both at once is ${NOT_YET}; write trap or start`]], example: 'start' },
  ),
  has(
    `${CHILD}.close_action`,
    choice(['none', 'trap', 'start'], [...ACTIONS, ['restart', 'start'], ['clear', 'none']]),
    'none',
    'When the peer ends the child: nothing, wait for traffic to begin it anew, or begin it anew at once.',
  ),
];
