// What routers say of packets that we sent, before anybody knows whether they said it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Install, SaEvent } from '../../src/esp/change.ts';
import { ERROR, ERROR_WORDS, SOURCE } from '../../src/esp/layout.ts';
import { PathErrors } from '../../src/esp/patherrors.ts';

const ICMP = 2;
const PEER = [192, 0, 2, 2];

/** Of ESP in UDP by its SPI; of IKE there, with a marker before its own SPI. */
function record(type: number, code: number, spi: number, second: number, mtu = 0): Int32Array {
  const words = new Int32Array(ERROR_WORDS);
  words[ERROR.SOURCE] = SOURCE.UDP4;
  words[ERROR.ORIGIN] = ICMP;
  words[ERROR.TYPE] = (type << 8) | code;
  words[ERROR.MTU] = mtu;
  words[ERROR.SPI] = spi;
  words[ERROR.SEQ] = second;
  words[ERROR.VERSION] = 4;
  words[ERROR.ADDRESS] = Buffer.from(PEER).readInt32BE();
  return words;
}

function sa(spiOut: number): Install {
  const path = new Uint8Array(64);
  path[0] = 4;
  path.set(PEER, 20);
  return { spiOut, path, slot: 1, session: 1, id: 1 } as Partial<Install> as Install;
}

test('forged errors of IKE, which anybody can send, leave room for what is said of sizes', () => {
  const events: SaEvent[] = [];
  const errors = new PathErrors((event) => events.push(event));
  errors.add(sa(0x11223344));
  for (let i = 0; i < 1000; i++) errors.take(record(3, 3, 0, 1 + i), 1, 0);
  const told = events.length;
  assert.ok(told > 0 && told <= 100, `${told} of a thousand at once`);
  errors.take(record(3, 4, 0x11223344, 9, 1400), 1, 0);
  assert.deepEqual(events.slice(told), [{ kind: 'too-big', session: 1, id: 1, mtu: 1400 }]);
});
