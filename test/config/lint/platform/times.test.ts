// Lifetimes, the search for dead peers, retransmission, the size of segments.

import { info, warning } from '../conf.ts';
import { testRows } from './fits.ts';

testRows([
  // --- lifetimes
  [
    'huawei',
    'an IKE SA of 59 s',
    { conn: ['rekey_time = 50s', 'over_time = 9s'], child: ['rekey_time = 40s', 'life_time = 50s'] },
    warning(
      'platform-lifetime',
      'rekey_time = 50s',
      /^Huawei, Enterprise Edition: an IKE SA lives 60 to 604800 s, the same at both ends; .* after 50s$/,
    ),
  ],
  [
    'huawei',
    'an IKE SA of 60 s',
    { conn: ['rekey_time = 50s', 'over_time = 10s'], child: ['rekey_time = 40s', 'life_time = 50s'] },
  ],
  [
    'huawei',
    'an IPsec SA of 29 s',
    { child: ['rekey_time = 20s', 'life_time = 29s'] },
    warning('platform-lifetime', 'rekey_time = 20s', /an IPsec SA lives 30 to 604800 s/),
  ],
  [
    'huawei',
    'SAs of more than a week',
    { conn: ['rekey_time = 604801s'], child: ['rekey_time = 604801s'] },
    warning('platform-lifetime', 'rekey_time', /an IKE SA lives/),
    warning('platform-lifetime', 'rekey_time', /an IPsec SA lives/),
  ],
  [
    'ucloud',
    'an IPsec SA of less than an hour',
    { child: ['rekey_time = 50m', 'life_time = 59m'] },
    warning('platform-lifetime', 'rekey_time = 50m', /3600 to 86400 s; child net renews its keys after 50m$/),
  ],
  ['ucloud', 'SAs of a day', { conn: ['rekey_time = 86400s'], child: ['rekey_time = 86400s'] }],
  [
    'ucloud',
    'an IKE SA of more than a day',
    { conn: ['rekey_time = 86401s'] },
    warning('platform-lifetime', 'rekey_time = 86401s', /an IKE SA/),
  ],
  [
    'aws',
    'an IPsec SA of more than an hour',
    { child: ['rekey_time = 3601s'] },
    warning('platform-lifetime', 'rekey_time', /an IPsec SA lives 900 to 3600 s/),
  ],
  [
    'aws',
    'an IKE SA of more than eight hours',
    { conn: ['rekey_time = 28801s'] },
    warning('platform-lifetime', 'rekey_time', /an IKE SA lives 900 to 28800 s/),
  ],
  ['jd', 'any lifetime: nothing is said about it', { conn: ['rekey_time = 40d'], child: ['rekey_time = 30d'] }],
  // --- dead peers, retransmission, size
  [
    'huawei',
    'no search for dead peers',
    { conn: ['dpd_delay = '] },
    warning('platform-dpd', 'office', /must be on at the customer gateway; connection office never asks/),
  ],
  [
    'huawei-classic',
    'no search for dead peers',
    { conn: ['dpd_delay = '] },
    info('platform-dpd', 'office', /on demand, idle for 30 s/),
  ],
  [
    'aws',
    'a time-out of less than 30 s',
    { conn: ['dpd_delay = 5s', 'dpd_timeout = 20s'] },
    info('platform-dpd', 'dpd_delay', /gives the peer up after 20s$/),
  ],
  [
    'huawei',
    'our own retransmission',
    { conn: ['retransmit {\n profile = default \n}'] },
    info('platform-retransmit', 'retransmit', /gives up after eight transmissions/),
  ],
  [
    'huawei',
    'any size of segments',
    { child: ['mss = no'] },
    warning('platform-mss', 'mss', /below 1399; .* child net has mss = no$/),
  ],
  ['huawei', 'segments of 1399 bytes', { child: ['mss = 1399'] }, warning('platform-mss', 'mss', /mss = 1399$/)],
  ['huawei', 'segments of 1398 bytes', { child: ['mss = 1398'] }],
  ['huawei', 'segments as large as fit', { child: ['mss = auto'] }, info('platform-mss', 'mss', /mss = auto/)],
]);
