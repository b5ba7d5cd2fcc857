// How many networks a platform takes, which, and where the tunnel's own addresses may be.

import { error, info, warning } from '../conf.ts';
import { testRows } from './fits.ts';

/** What general rules say beside it is tested elsewhere. */
const ANY = /.*/;
const many = (count: number, third: number) =>
  Array.from({ length: count }, (_, i) => `10.${third}.${i}.0/24`).join(', ');

testRows([
  // --- networks
  [
    'huawei',
    '51 customer subnets',
    { child: [`local_ts = ${many(51, 3)}`] },
    warning('platform-policies', 'local_ts', /child net has 51 networks of ours/),
    error('platform-networks', 'office', /has 51 networks of ours, and 50 are the most$/),
  ],
  [
    'huawei',
    '101 pairs of subnets',
    { child: [`local_ts = ${many(50, 3)}`, `remote_ts = ${many(3, 4)}`] },
    warning('platform-policies', 'local_ts', ANY),
    error('platform-networks', 'office', /has 150 pairs of networks, and 100 are the most$/),
  ],
  [
    'huawei',
    'six customer subnets in a rule',
    { child: [`local_ts = ${many(6, 3)}`] },
    warning('platform-policies', 'local_ts', /policy-based mode five rules/),
  ],
  ['huawei', 'five customer subnets in a rule', { child: [`local_ts = ${many(5, 3)}`] }],
  [
    'tencent',
    '11 networks of the VPC',
    { child: [`remote_ts = ${many(11, 3)}`] },
    error('platform-networks', 'office', /^Tencent: 10 policies.* has 11 networks of the peer, and 10 are the most$/),
  ],
  [
    'tencent',
    '51 peer networks',
    { child: [`local_ts = ${many(51, 3)}`] },
    error('platform-networks', 'office', /51 networks of ours/),
  ],
  [
    'ucloud',
    '21 peer segments',
    { child: [`local_ts = ${many(21, 3)}`] },
    error('platform-networks', 'office', /^UCloud: 20 local and 20 peer/),
  ],
  ['ucloud', '20 segments on both sides', { child: [`local_ts = ${many(20, 3)}`, `remote_ts = ${many(20, 4)}`] }],
  [
    'huawei',
    'the same subnet on both sides',
    { child: ['remote_ts = 10.1.0.0/24'] },
    warning('overlap-in-child', 'local_ts', ANY),
    error(
      'platform-overlap',
      'local_ts',
      /may overlap, but not be the same; child net has 10\.1\.0\.0\/24 and 10\.1\.0\.0\/24$/,
    ),
  ],
  ['huawei', 'subnets that overlap', { child: ['remote_ts = 10.0.0.0/8'] }, info('overlap-in-child', 'local_ts', ANY)],
  [
    'huawei-classic',
    'subnets that overlap',
    { child: ['remote_ts = 10.0.0.0/8'] },
    info('overlap-in-child', 'local_ts', ANY),
    error('platform-overlap', 'local_ts', /do not overlap/),
  ],
  [
    'huawei',
    'routing mode',
    { child: ['local_ts = 0.0.0.0/0', 'remote_ts = 0.0.0.0/0'] },
    info('peer-in-tunnel', 'remote_ts', ANY),
  ],
  [
    'ucloud',
    'a segment that comes twice',
    { child: ['remote_ts = 10.2.0.0/24, 10.2.0.0/24'] },
    error('platform-overlap', 'local_ts', /nor come twice|neither overlap/),
  ],
  [
    'ucloud',
    'a segment that is a part of another',
    { child: ['local_ts = 10.3.0.0/16, 10.3.1.0/24'] },
    error('platform-overlap', 'local_ts', /10\.3\.0\.0\/16 and 10\.3\.1\.0\/24$/),
  ],
  [
    'tencent',
    'its own example: the same peer network in two policies',
    {
      child: ['remote_ts = 10.0.0.0/24', 'local_ts = 192.168.0.0/24, 192.168.1.0/24'],
      children: `two {\n remote_ts = 10.0.1.0/24 \n local_ts = 192.168.2.0/24 \n esp_proposals = aes128-sha1-modp2048 \n}
        three {\n remote_ts = 10.0.2.0/24 \n local_ts = 192.168.2.0/24 \n esp_proposals = aes128-sha1-modp2048 \n}`,
    },
  ],
  [
    'tencent',
    'networks of the VPC that overlap in two policies',
    {
      children:
        'two {\n remote_ts = 10.2.0.0/16 \n local_ts = 192.168.2.0/24 \n esp_proposals = aes128-sha1-modp2048 \n}',
    },
    error(
      'platform-overlap',
      'remote_ts = 10.2.0.0/16',
      /child two has 10\.2\.0\.0\/16, and another child 10\.2\.0\.0\/24$/,
    ),
  ],
  [
    'huawei',
    'a reserved network',
    { child: ['local_ts = 100.64.1.0/24'] },
    error('platform-forbidden', 'local_ts', /100\.64\.0\.0\/10 is reserved/),
  ],
  [
    'huawei',
    'another reserved network',
    { child: ['local_ts = 214.1.0.0/16'] },
    error('platform-forbidden', 'local_ts', /214\.0\.0\.0\/8 is reserved/),
  ],
  [
    'huawei',
    'a network of class D',
    { child: ['local_ts = 225.0.0.0/24'] },
    error('platform-forbidden', 'local_ts', /class D or E/),
  ],
  [
    'huawei',
    'a network that begins with 127',
    { child: ['local_ts = 127.0.1.0/24'] },
    error('platform-forbidden', 'local_ts', /127/),
  ],
  [
    'huawei-classic',
    'a network of services of the cloud',
    { child: ['local_ts = 169.254.7.0/24'] },
    warning('platform-forbidden', 'local_ts', /169\.254\.0\.0\/16 is for services/),
  ],
  [
    'tencent',
    'a gateway with host bits all 0',
    { conn: ['local_addrs = 192.0.2.0'] },
    error('platform-gateway', 'local_addrs', /host bits all 0 or all 1; connection office is at 192\.0\.2\.0$/),
  ],
  [
    'tencent',
    'a gateway with host bits all 1 in class A',
    { conn: ['local_addrs = 10.255.255.255'] },
    error('platform-gateway', 'local_addrs', /is at 10\.255\.255\.255$/),
  ],
  ['tencent', 'a gateway of class B that only looks like it', { conn: ['local_addrs = 172.16.1.255'] }],
  [
    'tencent',
    'a gateway at a link-local address',
    { conn: ['local_addrs = 169.254.1.2'] },
    error('platform-gateway', 'local_addrs', /is at 169\.254\.1\.2$/),
  ],
  // --- tunnel addresses
  [
    'huawei',
    'the tunnel interfaces of its example',
    { child: ['local_ts = 169.254.70.1/32', 'remote_ts = 169.254.70.2/32'] },
  ],
  [
    'huawei',
    'the tunnel interfaces that it keeps for itself',
    { child: ['local_ts = 169.254.195.1/32', 'remote_ts = 169.254.70.2/32'] },
    error('platform-tunnel-address', 'local_ts', /not from 169\.254\.195\.x\/30; .* 169\.254\.195\.1\/32$/),
  ],
  [
    'huawei',
    'a tunnel interface with more than a /30',
    { child: ['local_ts = 169.254.70.0/29', 'remote_ts = 10.2.0.0/24'] },
    error('platform-tunnel-address', 'local_ts', /169\.254\.70\.0\/29$/),
  ],
  [
    'aws',
    'a reserved inside address',
    { child: ['local_ts = 169.254.5.1/32'] },
    error('platform-tunnel-address', 'local_ts', /169\.254\.5\.1\/32$/),
  ],
  ['aws', 'an inside address after the reserved ones', { child: ['local_ts = 169.254.5.5/32'] }],
]);
