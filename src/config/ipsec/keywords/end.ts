// The keywords of an end of a connection: `left…` and, for the other end, `right…`.

import { has, ignores, NO_CERTIFICATES, NOT_YET, type Option, refuses } from '../../options/option.ts';
import { choice, command, identity, integer, list, peers, selectors, text, yesno } from '../../schema.ts';
import { like, OF_CHILD, obsolete } from './option.ts';

const ROUNDS = `more than one round of authentication is ${NOT_YET}`;
const VIRTUAL = `virtual addresses are ${NOT_YET}`;

export function ends(side: 'left' | 'right'): readonly Option[] {
  const end = `conn.${side}`;
  const [address, name, net] =
    side === 'left'
      ? ['192.0.2.1', 'gw1.example.org', '10.1.0.0/16']
      : ['198.51.100.1', 'gw2.example.org', '10.2.0.0/16'];
  return [
    has(
      end,
      peers,
      '%any',
      `The addresses of the ${side} end. Ours is the right end if it has an address of this host, otherwise the left one.`,
      { example: address },
    ),
    has(`${end}id`, identity, '', `The identity of the ${side} end.`, { computed: 'its address', example: name }),
    has(`${end}subnet`, selectors, '%dynamic', `What is behind the ${side} end; %dynamic is the end itself.`, {
      example: net,
    }),
    has(`${end}subnetwithin`, selectors, '%dynamic', `The same as ${side}subnet.`),
    has(`${end}protoport`, text, '%any/%any', `Protocol and port of those of ${side}subnet that name none.`, {
      example: 'tcp/%any',
    }),
    has(`${end}auth`, text, '', `How the ${side} end authenticates: psk. (Not yet: pubkey, eap, xauth.)`, {
      computed: 'as authby says; pubkey where the other end has one',
      example: 'psk',
    }),
    has(`${end}allowany`, yesno, 'no', `Any address will do for the ${side} end, beside those that are written.`),
    has(`${end}ikeport`, integer(1, 65535), '500', 'The UDP port of the peer; ours are --port and --nat-port.'),
    like(`${end}updown`, OF_CHILD('updown'), command, '', { example: '/etc/espalier/updown.sh' }),
    ignores(
      `${end}firewall`,
      yesno,
      'no',
      'Let tunnelled traffic through iptables.',
      'the firewall is left alone; an updown program of yours can open it',
    ),
    like(`${end}hostaccess`, OF_CHILD('hostaccess'), yesno, 'no'),
    refuses(`${end}sourceip`, list, '', 'Virtual addresses to ask for, or to give.', VIRTUAL),
    ignores(`${end}dns`, list, '', 'DNS servers to ask for, or to give.', VIRTUAL),
    refuses(`${end}auth2`, text, '', 'A second round of authentication.', ROUNDS),
    ignores(`${end}id2`, identity, '', 'The identity in the second round.', ROUNDS),
    refuses(`${end}cert`, text, '', 'File of the certificate.', NO_CERTIFICATES),
    refuses(`${end}cert2`, text, '', 'File of the certificate of the second round.', NO_CERTIFICATES),
    refuses(`${end}sigkey`, text, '%cert', 'A raw public key.', NO_CERTIFICATES),
    refuses(`${end}rsasigkey`, text, '%cert', `The same as ${side}sigkey.`, NO_CERTIFICATES),
    refuses(`${end}ca`, text, '', 'The authority that has to vouch for it.', NO_CERTIFICATES),
    refuses(`${end}ca2`, text, '', 'The authority of the second round.', NO_CERTIFICATES),
    refuses(`${end}certpolicy`, list, '', 'Policies that its certificate must have.', NO_CERTIFICATES),
    ignores(
      `${end}sendcert`,
      choice(
        ['ifasked', 'always', 'never'],
        [
          ['yes', 'always'],
          ['no', 'never'],
        ],
      ),
      'ifasked',
      'Whether certificates are sent.',
      NO_CERTIFICATES,
      { neutral: ['never'] },
    ),
    refuses(`${end}groups`, list, '', 'Groups that the peer must belong to.', NOT_YET),
    refuses(`${end}groups2`, list, '', 'Groups of the second round.', NOT_YET),
    ignores(`${end}nexthop`, text, '', 'The next router on the way.', "the host's routes say how packets go"),
    ...obsolete('conn', `${side}natip`),
  ];
}
