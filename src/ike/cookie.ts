// Stateless cookies (RFC 7296 §2.6): version | HMAC-SHA-256(secret, Ni | address | port | SPIi). The secret changes every
// two minutes; the one before it is still good.

import { createHmac } from 'node:crypto';
import { concat, utf8 } from '../bytes/bytes.ts';
import type { SocketAddress } from '../bytes/ip.ts';
import { equalSecret } from '../crypto/compare.ts';
import type { Random } from '../crypto/types.ts';
import type { Millis } from './connection.ts';

const PERIOD: Millis = 120_000;

export class Cookies {
  readonly #random: Random;
  #version = 0;
  #current: Uint8Array;
  #previous: Uint8Array | undefined;
  #since: Millis = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#current = random(32);
  }

  make(now: Millis, nonce: Uint8Array, from: SocketAddress, spiI: Uint8Array): Uint8Array {
    this.#rotate(now);
    return concat(Uint8Array.of(this.#version), mac(this.#current, nonce, from, spiI));
  }

  check(now: Millis, cookie: Uint8Array, nonce: Uint8Array, from: SocketAddress, spiI: Uint8Array): boolean {
    this.#rotate(now);
    const secret = cookie[0] === this.#version ? this.#current : this.#previous;
    const version = cookie[0] === this.#version || cookie[0] === ((this.#version - 1) & 0xff);
    if (!version || !secret) return false;
    return equalSecret(cookie.subarray(1), mac(secret, nonce, from, spiI));
  }

  #rotate(now: Millis): void {
    const periods = Math.floor((now - this.#since) / PERIOD);
    if (periods < 1) return;
    this.#previous = periods === 1 ? this.#current : undefined;
    this.#current = this.#random(32);
    this.#version = (this.#version + 1) & 0xff;
    this.#since += periods * PERIOD;
  }
}

function mac(secret: Uint8Array, nonce: Uint8Array, from: SocketAddress, spiI: Uint8Array): Uint8Array {
  return createHmac('sha256', secret)
    .update(nonce)
    .update(utf8(`|${from.ip}|${from.port}|`))
    .update(spiI)
    .digest();
}
