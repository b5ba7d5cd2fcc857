// Parameters of the MODP groups. The primes that OpenSSL does not know by name stand here; the rest come from Node.
// Groups 1 and 2: RFC 2409 §6.1 and §6.2. Groups 5 and 14 to 18: RFC 3526. Group 24: RFC 5114 §2.3.

import { getDiffieHellman } from 'node:crypto';
import { unhex } from '../bytes/bytes.ts';

export interface ModpGroup {
  readonly prime: Uint8Array;
  readonly generator: Uint8Array;
  /** Of the subgroup that the generator makes, where it is smaller than (p - 1) / 2. */
  readonly order?: Uint8Array;
  /** Bytes of a secret exponent: at least twice the group's strength (RFC 3526 §8, RFC 7919 §5.2). */
  readonly secretSize: number;
}

const TWO = Uint8Array.of(2);

export function modp768(): ModpGroup {
  return { prime: unhex(P768), generator: TWO, secretSize: 32 };
}

export function modp1024(): ModpGroup {
  return { prime: unhex(P1024), generator: TWO, secretSize: 32 };
}

export function namedModp(name: string, secretSize: number): ModpGroup {
  return { prime: new Uint8Array(getDiffieHellman(name).getPrime()), generator: TWO, secretSize };
}

export function modp2048Order256(): ModpGroup {
  return { prime: unhex(P2048_256), generator: unhex(G2048_256), order: unhex(Q2048_256), secretSize: 32 };
}

const P768 = `
  ffffffff ffffffff c90fdaa2 2168c234 c4c6628b 80dc1cd1 29024e08 8a67cc74 020bbea6 3b139b22 514a0879 8e3404dd
  ef9519b3 cd3a431b 302b0a6d f25f1437 4fe1356d 6d51c245 e485b576 625e7ec6 f44c42e9 a63a3620 ffffffff ffffffff`;

const P1024 = `
  ffffffff ffffffff c90fdaa2 2168c234 c4c6628b 80dc1cd1 29024e08 8a67cc74 020bbea6 3b139b22 514a0879 8e3404dd
  ef9519b3 cd3a431b 302b0a6d f25f1437 4fe1356d 6d51c245 e485b576 625e7ec6 f44c42e9 a637ed6b 0bff5cb6 f406b7ed
  ee386bfb 5a899fa5 ae9f2411 7c4b1fe6 49286651 ece65381 ffffffff ffffffff`;

const P2048_256 = `
  87a8e61d b4b6663c ffbbd19c 65195999 8ceef608 660dd0f2 5d2ceed4 435e3b00 e00df8f1 d61957d4 faf7df45 61b2aa30
  16c3d911 34096faa 3bf4296d 830e9a7c 209e0c64 97517abd 5a8a9d30 6bcf67ed 91f9e672 5b4758c0 22e0b1ef 4275bf7b
  6c5bfc11 d45f9088 b941f54e b1e59bb8 bc39a0bf 12307f5c 4fdb70c5 81b23f76 b63acae1 caa6b790 2d525267 35488a0e
  f13c6d9a 51bfa4ab 3ad83477 96524d8e f6a167b5 a41825d9 67e144e5 14056425 1ccacb83 e6b486f6 b3ca3f79 71506026
  c0b857f6 89962856 ded4010a bd0be621 c3a3960a 54e710c3 75f26375 d7014103 a4b54330 c198af12 6116d227 6e11715f
  693877fa d7ef09ca db094ae9 1e1a1597`;

const G2048_256 = `
  3fb32c9b 73134d0b 2e775066 60edbd48 4ca7b18f 21ef2054 07f4793a 1a0ba125 10dbc150 77be463f ff4fed4a ac0bb555
  be3a6c1b 0c6b47b1 bc3773bf 7e8c6f62 901228f8 c28cbb18 a55ae313 41000a65 0196f931 c77a57f2 ddf463e5 e9ec144b
  777de62a aab8a862 8ac376d2 82d6ed38 64e67982 428ebc83 1d14348f 6f2f9193 b5045af2 767164e1 dfc967c1 fb3f2e55
  a4bd1bff e83b9c80 d052b985 d182ea0a db2a3b73 13d3fe14 c8484b1e 052588b9 b7d2bbd2 df016199 ecd06e15 57cd0915
  b3353bbb 64e0ec37 7fd02837 0df92b52 c7891428 cdc67eb6 184b523d 1db246c3 2f630784 90f00ef8 d647d148 d4795451
  5e2327cf ef98c582 664b4c0f 6cc41659`;

const Q2048_256 = `
  8cf83642 a709a097 b4479976 40129da2 99b1a47d 1eb3750b a308b0fe 64f5fbd3`;
