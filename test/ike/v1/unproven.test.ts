// What comes to an IKE SA that stands, and proves nothing: in the clear, with a wrong hash, or said before (SECURITY B7).
// `side` is who seems to have sent it.

import assert from 'node:assert/strict';
import { EXCHANGE, PROTOCOL } from '../../../src/ike/v1/wire/constants.ts';
import { encodeMessage } from '../../../src/ike/v1/wire/message.ts';
import type { Payload } from '../../../src/ike/v1/wire/payload.ts';
import { note } from '../../support/ear.ts';
import { v1 } from '../../support/v1.ts';
import { flow, one, quiet, type Scene, situation, tunnel } from './narrate.ts';

function cookies({ me }: Scene) {
  const { spiI, spiR } = v1(me.live.sessions[0]).state;
  return { spiI, spiR, both: new Uint8Array([...spiI, ...spiR]) };
}

function endings(scene: Scene): readonly Payload[] {
  const [sa] = scene.me.plane.sas;
  const spi = sa?.inbound.spi ?? 0;
  return [
    { tag: 'D', protocol: PROTOCOL.ISAKMP, spis: [cookies(scene).both] },
    { tag: 'D', protocol: PROTOCOL.ESP, spis: [Uint8Array.of(spi >>> 24, spi >>> 16, spi >>> 8, spi)] },
    note('INITIAL_CONTACT', new Uint8Array(0), cookies(scene).both),
    note('INVALID_SPI'),
    note('NO_PROPOSAL_CHOSEN'),
  ];
}

function unmoved({ pair }: Scene): void {
  pair.run(1000);
  one(pair);
  quiet(pair);
  flow(pair, 1000);
}

situation('unprotected', 'it is counted and ignored', (side) => {
  const scene = tunnel(side);
  const { ear, me, peer } = scene;
  const { spiI, spiR } = cookies(scene);
  let messageId = 0x1000;
  for (const payload of endings(scene)) {
    ear.inject(me, encodeMessage({ spiI, spiR, exchange: EXCHANGE.INFORMATIONAL, messageId: messageId++ }, [payload]));
    unmoved(scene);
  }
  assert.equal(peer.endpoint.counters().get('unprotected'), endings(scene).length);
});

situation('hash-wrong', 'it is ignored, with another hash, or with none', (side) => {
  for (const data of [new Uint8Array(32), new Uint8Array(0)]) {
    const scene = tunnel(side);
    const { ear, me } = scene;
    let messageId = 0x2000;
    for (const payload of endings(scene)) {
      const hash: Payload = { tag: 'HASH', data };
      ear.inject(me, ear.made(me, EXCHANGE.INFORMATIONAL, messageId++, [hash, payload], false));
      ear.inject(me, ear.made(me, EXCHANGE.INFORMATIONAL, messageId++, [payload], false));
      unmoved(scene);
    }
  }
});

situation('message-id', 'one that is zero, or was used before, is ignored', (side) => {
  const scene = tunnel(side);
  const { pair, ear, me, peer } = scene;
  const hash: Payload = { tag: 'HASH', data: new Uint8Array(0) };
  const said = () => ear.made(me, EXCHANGE.INFORMATIONAL, 0x3000, [hash, note('REPLAY_STATUS')]);
  ear.inject(me, said());
  pair.run(100);
  const before = peer.endpoint.counters().get('message-id') ?? 0;
  ear.inject(me, said());
  for (const payload of endings(scene)) {
    ear.inject(me, ear.made(me, EXCHANGE.INFORMATIONAL, 0x3000, [hash, payload]));
    ear.inject(me, ear.made(me, EXCHANGE.INFORMATIONAL, 0, [hash, payload]));
  }
  unmoved(scene);
  assert.ok((peer.endpoint.counters().get('message-id') ?? 0) > before);
});
