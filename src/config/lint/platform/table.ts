// What cloud gateways ask of the other end, from their own documentation: values, and the words that say whose they are.
// Proposals are in the language of our configuration; every alternative that the platform takes is in them. "Ours" is
// the customer's side, "theirs" the cloud's.

import type { Severity } from '../finding.ts';

/** Seconds. */
export interface Lifetimes {
  readonly min: number;
  readonly max: number;
  readonly standard: number;
}

export interface KeyRule {
  readonly min?: number;
  readonly max: number;
  /** What every character must be. */
  readonly characters: RegExp;
  /** How many of the kinds digits, capitals, small letters, others there must be. */
  readonly kinds?: number;
  /** What it may not begin with. */
  readonly notFirst?: string;
  readonly words: string;
}

export interface Algorithms {
  readonly ike: readonly string[];
  readonly esp: readonly string[];
  readonly ah?: readonly string[];
  /** Whether its list is complete, so that anything else is refused. */
  readonly complete: boolean;
  /** The best of it that both IKE versions have. */
  readonly advised: { readonly ike: string; readonly esp: string; readonly ah?: string };
  /** Its own settings where nobody changes them. */
  readonly standard?: { readonly ike: string; readonly esp: string };
  /** What it calls insecure itself. */
  readonly insecure?: readonly string[];
}

export interface NetworkRule {
  readonly prefix: string;
  readonly severity: Severity;
  readonly words: string;
}

export interface Platform {
  readonly name: string;
  readonly title: string;
  readonly versions: readonly (1 | 2)[];
  /** The version that it recommends. */
  readonly version?: 1 | 2;
  readonly aggressive: boolean;
  readonly key?: KeyRule;
  readonly algorithms: Algorithms;
  readonly ikeLifetime?: Lifetimes;
  readonly childLifetime?: Lifetimes;
  /** Where the two ends must have the same. */
  readonly equalLifetimes?: boolean;
  readonly identities?: { readonly longest?: number; readonly without?: RegExp; readonly words: string };
  readonly tunnelOnly?: boolean;
  /** How many networks a connection may have; `pairs` counts each of ours with each of theirs. */
  readonly networks?: {
    readonly ours?: number;
    readonly theirs?: number;
    readonly pairs?: number;
    readonly words: string;
  };
  /** Where policies are entered one by one: how many, and how many of our networks in one. */
  readonly policies?: { readonly rules: number; readonly ours: number; readonly words: string };
  /** `equal`: the two sides may overlap but not be the same. `same-side`: nor may the networks of one side overlap. */
  readonly overlap?: {
    readonly between: 'equal' | 'any';
    readonly sides: readonly ('ours' | 'theirs')[];
    readonly words: string;
  };
  /** Where our networks may not be. */
  readonly forbidden?: readonly NetworkRule[];
  /** Where our gateway's address may not be; `hostBits`: nor be the first or last one of its class A, B or C network. */
  readonly gateway?: { readonly prefixes: readonly string[]; readonly hostBits: boolean; readonly words: string };
  /** Addresses of the tunnel itself. */
  readonly tunnelAddresses?: { readonly within: string; readonly except: readonly string[]; readonly words: string };
  /** Milliseconds. `needed`: the platform wants it at our side. */
  readonly deadPeers?: { readonly needed: boolean; readonly leastTimeout?: number; readonly words: string };
  /** It gives up after these transmissions in IKEv2, as `retransmit { profile = huawei }` does. */
  readonly patient?: string;
  /** The largest TCP segment that it recommends. */
  readonly mss?: { readonly max: number; readonly words: string };
  /** How many tunnels one address may have; how many are advised. */
  readonly tunnels?: { readonly max?: number; readonly advised?: number; readonly words: string };
}

const HUAWEI_GROUPS = 'modp768-modp1024-modp1536-modp2048-modp3072-modp4096-ecp256-ecp384-ecp521';
const HUAWEI_HASHES = 'sha256-sha384-sha512-sha1-md5';
const HUAWEI_PRFS = 'prfsha256-prfsha384-prfsha512-prfsha1-prfmd5';
const UCLOUD_GROUPS = 'modp768-modp1024-modp1536-modp2048-modp2048s256';
const AWS_GROUPS = 'modp1024-modp2048-modp3072-modp4096-modp6144-modp8192-ecp256-ecp384-ecp521-modp2048s256';

const HUAWEI_TUNNEL = {
  within: '169.254.0.0/16',
  except: ['169.254.195.0/24'],
  words: 'tunnel interface addresses are from 169.254.x.x/30, but not from 169.254.195.x/30',
} as const;

const HUAWEI: Platform = {
  name: 'huawei',
  title: 'Huawei, Enterprise Edition',
  versions: [1, 2],
  version: 2,
  aggressive: true,
  key: {
    min: 8,
    max: 128,
    characters: /^[0-9A-Za-z~!@#$%^()\-_+={},./;]*$/,
    kinds: 3,
    words:
      '8 to 128 characters of at least three kinds: digits, capitals, small letters, and ~ ! @ # $ % ^ ( ) - _ + = { } , . / ;',
  },
  algorithms: {
    ike: [
      `aes128-aes192-aes256-3des-${HUAWEI_HASHES}-${HUAWEI_GROUPS}`,
      `aes128gcm16-aes256gcm16-${HUAWEI_PRFS}-${HUAWEI_GROUPS}`,
    ],
    esp: [
      `aes128-aes192-aes256-3des-${HUAWEI_HASHES}-none-${HUAWEI_GROUPS}`,
      `aes128gcm16-aes256gcm16-none-${HUAWEI_GROUPS}`,
    ],
    advised: { ike: 'aes256-sha384-ecp384', esp: 'aes256-sha384-ecp384' },
    complete: true,
    standard: { ike: 'aes128-sha256-modp3072', esp: 'aes128-sha256-modp3072' },
    insecure: ['sha1', 'md5', '3des', 'aes128', 'aes192', 'aes256', 'modp768', 'modp1024', 'modp1536', 'modp2048'],
  },
  ikeLifetime: { min: 60, max: 604_800, standard: 86_400 },
  childLifetime: { min: 30, max: 604_800, standard: 3600 },
  equalLifetimes: true,
  identities: {
    longest: 128,
    without: /[&<>[\]\\? ]/,
    words: 'an IP address, or a domain name of 1 to 128 characters without & < > [ ] \\ ? and spaces',
  },
  networks: {
    ours: 50,
    theirs: 50,
    pairs: 100,
    words:
      '50 customer subnets, 50 local subnets, and 100 tunnels for one address, of which each pair of subnets takes one',
  },
  policies: {
    rules: 5,
    ours: 5,
    words:
      'in policy-based mode five rules with five customer subnets each; in routing mode one tunnel carries them all',
  },
  overlap: { between: 'equal', sides: [], words: 'customer and local subnet may overlap, but not be the same' },
  forbidden: [
    { prefix: '100.64.0.0/10', severity: 'error', words: '100.64.0.0/10 is reserved and no customer subnet' },
    { prefix: '214.0.0.0/8', severity: 'error', words: '214.0.0.0/8 is reserved and no customer subnet' },
    { prefix: '224.0.0.0/3', severity: 'error', words: 'a customer subnet is never of class D or E' },
    { prefix: '127.0.0.0/8', severity: 'error', words: 'a customer subnet never begins with 127' },
    { prefix: '169.254.0.0/16', severity: 'warning', words: '169.254.0.0/16 is for services of the cloud' },
  ],
  tunnelAddresses: HUAWEI_TUNNEL,
  deadPeers: { needed: true, words: 'dead-peer detection must be on at the customer gateway' },
  patient: 'in IKEv2 it repeats after 1, 2, 4 … 64 s and gives up after eight transmissions',
  mss: { max: 1398, words: 'a maximum segment size below 1399; its gateway takes TCP packets of 1300 bytes' },
};

const HUAWEI_CLASSIC: Platform = {
  name: 'huawei-classic',
  title: 'Huawei, Classic',
  versions: [1, 2],
  version: 2,
  aggressive: true,
  key: {
    min: 6,
    max: 128,
    characters: /^[0-9A-Za-z~`!@#$%^()\-_+=[\]{}\\,./:;]*$/,
    words: '6 to 128 digits, letters, and ~ ` ! @ # $ % ^ ( ) - _ + = [ ] { } \\ , . / : ;',
  },
  algorithms: {
    ike: [`aes128-aes192-aes256-3des-${HUAWEI_HASHES}-${HUAWEI_GROUPS}`],
    esp: [`aes128-aes192-aes256-3des-${HUAWEI_HASHES}-none-${HUAWEI_GROUPS}`],
    ah: [`${HUAWEI_HASHES}-none-${HUAWEI_GROUPS}`],
    advised: { ike: 'aes256-sha384-ecp384', esp: 'aes256-sha384-ecp384', ah: 'sha384' },
    complete: true,
    standard: { ike: 'aes128-sha256-modp2048', esp: 'aes128-sha256-modp2048' },
    insecure: ['sha1', 'md5', '3des', 'modp768', 'modp1024', 'modp1536'],
  },
  overlap: { between: 'any', sides: [], words: 'remote and local subnets do not overlap' },
  forbidden: [
    { prefix: '100.64.0.0/10', severity: 'warning', words: '100.64.0.0/10 is for services of the cloud' },
    { prefix: '224.0.0.0/3', severity: 'warning', words: '224.0.0.0/3 is for services of the cloud' },
    { prefix: '127.0.0.0/8', severity: 'warning', words: '127.0.0.0/8 is for services of the cloud' },
    { prefix: '169.254.0.0/16', severity: 'warning', words: '169.254.0.0/16 is for services of the cloud' },
  ],
  deadPeers: {
    needed: false,
    words:
      'dead-peer detection is always on there: on demand, idle for 30 s, three tries 15 s apart, hash before notify',
  },
};

const TENCENT: Platform = {
  name: 'tencent',
  title: 'Tencent',
  versions: [1],
  version: 1,
  aggressive: true,
  key: { max: Number.POSITIVE_INFINITY, characters: /^[^\p{C}]*$/u, words: 'the pre-shared key is a Unicode string' },
  algorithms: {
    // It does not say which ciphers phase 1 may have.
    ike: [`aes128-aes192-aes256-3des-des-sha1-md5-${UCLOUD_GROUPS}`],
    esp: [`aes128-aes192-aes256-3des-des-sha1-md5-none-${UCLOUD_GROUPS}`],
    advised: { ike: 'aes256-sha1-modp2048', esp: 'aes256-sha1-modp2048' },
    complete: true,
  },
  identities: { words: 'an IP address or a domain name' },
  tunnelOnly: true,
  networks: {
    ours: 50,
    theirs: 10,
    words: '10 policies, one for each network of the VPC, with 50 peer networks each',
  },
  overlap: {
    between: 'any',
    sides: ['ours', 'theirs'],
    words:
      'networks of the VPC and of the peer do not overlap, nor those of different policies, nor the peer networks of one policy',
  },
  gateway: {
    prefixes: ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/8', '225.0.0.0/8'],
    hostBits: true,
    words:
      'a customer gateway is not at 0.x, 127.x, 169.254.x.x, 224.x or 225.x, nor at an address with host bits all 0 or all 1',
  },
  tunnels: { max: 1, words: 'one tunnel for each customer gateway' },
};

const UCLOUD: Platform = {
  name: 'ucloud',
  title: 'UCloud',
  versions: [1, 2],
  version: 2,
  aggressive: true,
  key: {
    max: 128,
    characters: /^[!-&(->@-~]*$/,
    words: "up to 128 letters, digits and special characters, without ' ? and spaces",
  },
  algorithms: {
    ike: [`aes128-aes192-aes256-3des-sha1-sha256-md5-${UCLOUD_GROUPS}`],
    esp: [`aes128-aes192-aes256-3des-sha1-md5-none-${UCLOUD_GROUPS}`],
    ah: [`sha1-md5-none-${UCLOUD_GROUPS}`],
    advised: { ike: 'aes256-sha256-modp2048', esp: 'aes256-sha1-modp2048', ah: 'sha1' },
    complete: true,
    standard: { ike: 'aes128-sha1-modp1024', esp: 'aes128-sha1-modp1024' },
  },
  ikeLifetime: { min: 3600, max: 86_400, standard: 86_400 },
  childLifetime: { min: 3600, max: 86_400, standard: 86_400 },
  identities: { words: 'an IP address or a domain name' },
  networks: { ours: 20, theirs: 20, words: '20 local and 20 peer segments for a tunnel' },
  overlap: {
    between: 'any',
    sides: ['ours', 'theirs'],
    words: 'local and peer segments neither overlap nor come twice',
  },
  deadPeers: { needed: false, words: 'its own configurations ask after 8 s and give up after 13 s' },
  tunnels: { max: 20, words: '20 tunnels for a gateway' },
};

const JD: Platform = {
  name: 'jd',
  title: 'JD Cloud',
  versions: [1, 2],
  aggressive: true,
  algorithms: {
    ike: ['aes128-aes256-sha1-sha256-modp1024-modp1536'],
    esp: ['aes128-aes256-sha1-sha256-none-modp1024-modp1536'],
    // "including": there may be more.
    advised: { ike: 'aes256-sha256-modp1536', esp: 'aes256-sha256-modp1536' },
    complete: false,
  },
  deadPeers: { needed: false, words: 'the cloud checks whether tunnels are alive' },
  tunnels: {
    advised: 2,
    words: 'two public addresses are allotted, and tunnels to both, with BGP, are strongly suggested',
  },
};

const AWS: Platform = {
  name: 'aws',
  title: 'AWS Site-to-Site VPN',
  versions: [1, 2],
  aggressive: false,
  key: {
    min: 8,
    max: 64,
    characters: /^[0-9A-Za-z._]*$/,
    notFirst: '0',
    words: '8 to 64 letters, digits, periods and underscores, not beginning with 0',
  },
  algorithms: {
    ike: [
      `aes128-aes256-sha1-sha256-sha384-sha512-${AWS_GROUPS}`,
      `aes128gcm16-aes256gcm16-prfsha1-prfsha256-prfsha384-prfsha512-${AWS_GROUPS}`,
    ],
    esp: [
      `aes128-aes256-sha1-sha256-sha384-sha512-none-modp1536-${AWS_GROUPS}`,
      `aes128gcm16-aes256gcm16-none-modp1536-${AWS_GROUPS}`,
    ],
    advised: { ike: 'aes256-sha384-ecp384', esp: 'aes256-sha384-ecp384' },
    complete: true,
  },
  ikeLifetime: { min: 900, max: 28_800, standard: 28_800 },
  childLifetime: { min: 900, max: 3600, standard: 3600 },
  tunnelAddresses: {
    within: '169.254.0.0/16',
    except: [...['0', '1', '2', '3', '4', '5'].map((third) => `169.254.${third}.0/30`), '169.254.169.252/30'],
    words:
      'inside addresses are a /30 of 169.254.0.0/16, but not 169.254.0.0/30 to 169.254.5.0/30 nor 169.254.169.252/30',
  },
  deadPeers: { needed: false, leastTimeout: 30_000, words: 'dead-peer timeouts are 30 s or more' },
  tunnels: { advised: 2, words: 'each connection has two tunnels, to two addresses' },
};

export const PLATFORMS: readonly Platform[] = [HUAWEI, HUAWEI_CLASSIC, TENCENT, UCLOUD, JD, AWS];

export function platformNamed(name: string): Platform | undefined {
  return PLATFORMS.find((platform) => platform.name === name);
}
