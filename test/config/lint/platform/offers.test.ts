// Our proposals against those that a platform takes.

import { error, info, warning } from '../conf.ts';
import { testRows, weak } from './fits.ts';

testRows([
  [
    'huawei',
    'a cipher that it does not have',
    { conn: ['proposals = chacha20poly1305-prfsha256-modp3072'] },
    error(
      'platform-algorithms',
      'proposals',
      /^Huawei, Enterprise Edition takes none of the proposals of connection office: encryption: we want CHACHA20_POLY1305/,
    ),
  ],
  [
    'huawei',
    'a group that it does not have',
    { conn: ['proposals = aes256gcm16-prfsha256-x25519'] },
    error('platform-algorithms', 'proposals', /key exchange: we want CURVE_25519, the peer .*MODP_3072/),
  ],
  [
    'huawei',
    'a group of a child that it does not have',
    { child: ['esp_proposals = aes256gcm16-x25519'] },
    error('platform-algorithms', 'esp_proposals', /of child net: key exchange/),
  ],
  [
    'huawei',
    'one proposal of two is enough',
    { conn: ['proposals = chacha20poly1305-prfsha256-x25519, aes128-sha256-modp3072'] },
    info('platform-insecure', 'proposals', /calls aes128 insecure/),
  ],
  [
    'huawei',
    'the group of its own example for routers is not that of its default',
    { conn: ['proposals = aes128-sha256-modp2048'] },
    info('platform-insecure', 'proposals', /calls aes128, modp2048 insecure/),
    info(
      'platform-standard',
      'proposals',
      /has aes128-sha256-modp3072 where nobody has changed it, .* key exchange: we want MODP_2048, the peer MODP_3072$/,
    ),
  ],
  [
    'huawei',
    'no PFS',
    { child: ['esp_proposals = aes256gcm16, aes128-sha256'] },
    info('platform-pfs', 'esp_proposals', /no PFS/),
  ],
  [
    'huawei-classic',
    'combined modes',
    { conn: ['proposals = aes256gcm16-prfsha256-modp2048'] },
    error('platform-algorithms', 'proposals', /we want AES_GCM_16_256/),
  ],
  [
    'tencent',
    'SHA-2',
    { child: ['esp_proposals = aes128-sha256-modp2048'] },
    error(
      'platform-algorithms',
      'esp_proposals',
      /integrity: we want HMAC_SHA2_256_128, the peer HMAC_SHA1_96 or HMAC_MD5_96/,
    ),
  ],
  [
    'tencent',
    'group 15',
    { conn: ['proposals = aes128-sha1-modp3072'] },
    error('platform-algorithms', 'proposals', /MODP_3072, the peer MODP_768 or .*MODP_2048_256/),
  ],
  [
    'ucloud',
    'SHA-2 in ESP, which it has in IKE alone',
    { child: ['esp_proposals = aes256-sha256-modp2048'] },
    error('platform-algorithms', 'esp_proposals', /integrity: we want HMAC_SHA2_256_128/),
  ],
  [
    'ucloud',
    'not what it has by default',
    { conn: ['proposals = aes256-sha256-modp2048'] },
    info('platform-standard', 'proposals', /UCloud has aes128-sha1-modp1024 where nobody/),
  ],
  [
    'jd',
    'a group that is not on its list, which may be longer',
    { conn: ['proposals = aes256-sha256-modp2048'] },
    warning('platform-algorithms', 'proposals', /MODP_2048, the peer MODP_1024 or MODP_1536/),
  ],
  [
    'aws',
    'group 5 in phase 1',
    { conn: ['proposals = aes256-sha256-modp1536'] },
    weak('proposals'),
    error('platform-algorithms', 'proposals', /MODP_1536/),
  ],
  ['aws', 'group 5 in phase 2', { child: ['esp_proposals = aes256-sha256-modp1536'] }, weak('esp_proposals')],
  [
    'aws',
    'AES-192',
    { child: ['esp_proposals = aes192-sha256-modp2048'] },
    error('platform-algorithms', 'esp_proposals', /AES_CBC_192/),
  ],
]);
