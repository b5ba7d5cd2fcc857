// Pre-shared keys that a platform's console would not take.

import { error, KEY, warning } from '../conf.ts';
import { testRows } from './fits.ts';

/** What general rules say beside it is tested elsewhere. */
const ANY = /.*/;
const key = (secret: string) => ({ secrets: `ike-office {\n id-1 = gw2.example.org \n secret = "${secret}" \n}` });
const guessable = error('psk-guessable', 'secret =', ANY);
const short = warning('psk-short', 'secret =', ANY);

testRows([
  [
    'huawei',
    'a key of 7 characters',
    key('aB3$xQ9'),
    guessable,
    error(
      'platform-psk',
      'secret =',
      /^Huawei, Enterprise Edition: 8 to 128 characters of at least three kinds.* is shorter$/,
    ),
  ],
  ['huawei', 'a key of 8 characters', key('aB3$xQ9z'), guessable],
  [
    'huawei',
    'a key of 129 characters',
    key(`${KEY.repeat(6).slice(0, 129)}`),
    error('platform-psk', 'secret =', /is longer$/),
  ],
  ['huawei', 'a key of 128 characters', key(`${KEY.repeat(6).slice(0, 128)}`)],
  [
    'huawei',
    'a key of two kinds',
    key('vq3u7ztlw9kfxb2rmnc4hd8ep'),
    error('platform-psk', 'secret =', /has fewer kinds$/),
  ],
  [
    'huawei',
    'a key with a character that is not there',
    key(`${KEY}*`),
    error('platform-psk', 'secret =', /has a character that may not be there$/),
  ],
  [
    'huawei-classic',
    'a key of 5 characters',
    key('aB3$x'),
    guessable,
    error('platform-psk', 'secret =', /^Huawei, Classic: 6 to 128 .* is shorter$/),
  ],
  ['huawei-classic', 'a key of 6 characters of one kind', key('vqkfxb'), guessable],
  [
    'huawei-classic',
    'a key with a character that is not there',
    key(`${KEY}<`),
    error('platform-psk', 'secret =', /may not be there$/),
  ],
  ['huawei-classic', 'brackets are there', key(`${KEY}[]:`)],
  [
    'tencent',
    'a key that is no text',
    { secrets: 'ike-office {\n id-1 = gw2.example.org \n secret = 0xff9a1c77e2b4580d6e91aa03c5d7f2184be6907d \n}' },
    error('platform-psk', 'secret =', /Unicode string; .* is no text$/),
  ],
  ['tencent', 'a key of Chinese characters', key('预共享密钥预共享密码隧道网关安全策略')],
  [
    'ucloud',
    'a key with a question mark',
    key(`${KEY}?`),
    error('platform-psk', 'secret =', /^UCloud: up to 128 .*may not be there$/),
  ],
  ['ucloud', 'a key with a space', key(`${KEY} ${KEY}`), error('platform-psk', 'secret =', /may not be there$/)],
  ['ucloud', 'a key with an apostrophe', key(`${KEY}'`), error('platform-psk', 'secret =', /may not be there$/)],
  ['ucloud', 'other special characters', key(`${KEY}!&(>@~`)],
  ['aws', 'a key that begins with 0', key(`0${KEY}`), error('platform-psk', 'secret =', /begins with 0$/)],
  ['aws', 'a key with a special character', key(`${KEY}-`), error('platform-psk', 'secret =', /may not be there$/)],
  [
    'aws',
    'a key of 65 characters',
    key(KEY.repeat(3).slice(0, 65)),
    error('platform-psk', 'secret =', /^AWS .*8 to 64 .* is longer$/),
  ],
  ['aws', 'a key of 64 characters', key(KEY.repeat(3).slice(0, 64))],
  ['jd', 'any key: nothing is said about it', key('xK3 vQ9?pLw2*TzR'), short],
]);
