// Cookies: RFC 7296 §2.6, §2.7; SECURITY D. `side` is who initiates.

import assert from 'node:assert/strict';
import type { SocketAddress } from '../../../src/bytes/ip.ts';
import { encodeMessage, parseMessage } from '../../../src/ike/wire/message.ts';
import type { Payload } from '../../../src/ike/wire/payload.ts';
import { offers, sides } from '../../support/connections.ts';
import { Pair, type Side, type SideOptions } from '../../support/pair.ts';
import { seeded } from '../../support/random.ts';
import { change, listen, note, read, response } from '../../support/tamper.ts';
import { ends, nothing, situation } from './narrate.ts';
import type { SideName } from './situations.ts';

const GCM = 'aes128gcm16-prfsha256-x25519';
const ECP = 'aes128gcm16-prfsha256-ecp256';
const STRANGER: SocketAddress = { ip: '198.51.100.7', port: 500 };

function init(pair: Pair, side: SideName): { me: Side; peer: Side } {
  pair[side].initiate();
  return ends(pair, side);
}

/** IKE_SA_INIT requests as a stranger makes them: with SPIs of its own. */
function strangers(to: Side, count: number, from: (i: number) => SocketAddress, seed = 7, text = GCM): Uint8Array[] {
  const { pair } = to;
  const random = seeded(seed);
  const template = new Pair(...sides({ offers: offers(text, 'ike') }), 99);
  template.left.initiate();
  const [first] = template.left.sent;
  if (!first) throw new Error('nothing was sent');
  const { header, payloads } = parseMessage(first.bytes);
  return Array.from({ length: count }, (_, i) => {
    const bytes = encodeMessage({ ...header, spiI: random(8) }, payloads);
    pair.inject(to, bytes, from(i));
    return bytes;
  });
}

/** So many half-open sessions that cookies are asked for. */
function crowded(pair: Pair, peer: Side, text = GCM): void {
  strangers(peer, 30, (i) => ({ ip: `198.51.100.${i}`, port: 500 }), 7, text);
  assert.equal(peer.endpoint.counters().get('cookie-asked'), undefined);
  assert.equal(peer.endpoint.size, 30);
  pair.log.length = 0;
}

function withOffers(side: SideName, mine: string, theirs: string): [SideOptions, SideOptions] {
  const [left, right] = side === 'left' ? [mine, theirs] : [theirs, mine];
  return sides({ offers: offers(left, 'ike') }, { offers: offers(right, 'ike') });
}

function up(pair: Pair): void {
  for (const each of [pair.left, pair.right]) {
    assert.equal(each.live.sessions.length, 1, each.name);
    assert.equal(each.live.children.length, 1, each.name);
  }
  pair.flowing(1000);
  assert.deepEqual(pair.flow, { sent: 200, lost: 0, refused: 0 });
  assert.deepEqual(pair.faults(), []);
}

situation('init-cookie', 'the cookie goes first in the same request again', (side) => {
  const pair = new Pair(...sides());
  crowded(pair, pair[side].other);
  const lines = listen(pair);
  const { me, peer } = init(pair, side);
  pair.run(2000);
  const say = 'SA(IKE) KE Nonce N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP)';
  // IKE_SA_INIT {SA, KEi, Ni} -->
  assert.ok(lines[0]?.startsWith(`${me.name}: ${say}`), lines[0]);
  // <-- IKE_SA_INIT {N(COOKIE)}
  assert.equal(lines[1], `${peer.name}: N(COOKIE)`);
  // IKE_SA_INIT {N(COOKIE), SA, KEi, Ni} -->
  assert.ok(lines[2]?.startsWith(`${me.name}: N(COOKIE) ${say}`), lines[2]);
  const [first, second] = me.sent.map(({ bytes }) => read(bytes, me));
  // All but the cookie stays as it was, the SPI and the nonce above all.
  assert.deepEqual(second?.payloads.slice(1), first?.payloads);
  assert.deepEqual(second?.header.spiI, first?.header.spiI);
  up(pair);
});

situation('init-cookie', 'a cookie that is no cookie is not sent back', (side) => {
  for (const size of [0, 65]) {
    const pair = new Pair(...sides());
    const { me, peer } = init(pair, side);
    change(pair, response(peer, 'IKE_SA_INIT'), () => [note('COOKIE', new Uint8Array(size))], 1);
    pair.run(900);
    assert.equal(me.sent.length, 1);
    assert.equal(me.endpoint.counters().get('bad-cookie'), 1);
    pair.run(2000);
    up(pair);
  }
});

situation('init-cookie', 'a peer that never has enough of cookies is given up', (side) => {
  const pair = new Pair(...sides());
  const { me, peer } = init(pair, side);
  let n = 0;
  change(pair, response(peer, 'IKE_SA_INIT'), () => [note('COOKIE', Uint8Array.of(++n))]);
  pair.run(60_000);
  assert.ok(me.sent.length <= 10, `${me.sent.length} requests`);
  assert.equal(me.endpoint.size, 0);
  assert.equal(me.count('session-closed'), 1);
});

situation('init-cookie-invalid-ke', 'the cookie is kept when the group changes', (side) => {
  const pair = new Pair(...withOffers(side, 'aes128gcm16-prfsha256-x25519-ecp256', 'aes128gcm16-prfsha256-ecp256'));
  crowded(pair, pair[side].other, ECP);
  const lines = listen(pair);
  const { me, peer } = init(pair, side);
  pair.run(2000);
  assert.equal(lines[1], `${peer.name}: N(COOKIE)`);
  assert.equal(lines[3], `${peer.name}: N(INVALID_KE_PAYLOAD)`);
  assert.ok(lines[4]?.startsWith(`${me.name}: N(COOKIE) SA(IKE) KE`), lines[4]);
  assert.ok(lines[5]?.startsWith(`${peer.name}: SA(IKE) KE`), lines[5]);
  up(pair);
});

situation('init-cookie-invalid-ke', 'the other way round, too: first the group, then the cookie', (side) => {
  const pair = new Pair(...withOffers(side, 'aes128gcm16-prfsha256-x25519-ecp256', ECP));
  const lines = listen(pair);
  const { me, peer } = init(pair, side);
  pair.run(15);
  crowded(pair, peer, ECP);
  lines.length = 0;
  pair.run(3000);
  assert.ok(lines[0]?.startsWith(`${me.name}: SA(IKE) KE`), lines[0]);
  assert.equal(lines[1], `${peer.name}: N(COOKIE)`);
  assert.ok(lines[2]?.startsWith(`${me.name}: N(COOKIE) SA(IKE) KE`), lines[2]);
  up(pair);
});

situation('init-cookie-foreign', 'a cookie is good for one address, port, nonce and SPI', (side) => {
  const pair = new Pair(...sides());
  const peer = pair[side].other;
  crowded(pair, peer);
  const [bytes] = strangers(peer, 1, () => STRANGER, 8);
  if (!bytes) throw new Error('nothing was sent');
  const answer = peer.sent.at(-1)?.bytes ?? new Uint8Array();
  const [cookie] = parseMessage(answer).payloads;
  if (cookie?.tag !== 'N') throw new Error('no cookie');
  const { header, payloads } = parseMessage(bytes);
  const size = peer.endpoint.size;
  const wrong = (bytes: Uint8Array, from: SocketAddress) => {
    const before = peer.endpoint.counters().get('wrong-cookie') ?? 0;
    pair.inject(peer, bytes, from);
    assert.equal(peer.endpoint.counters().get('wrong-cookie'), before + 1);
    assert.equal(peer.endpoint.size, size);
  };
  const again = encodeMessage(header, [cookie, ...payloads]);
  wrong(again, { ip: '198.51.100.8', port: 500 });
  wrong(again, { ip: STRANGER.ip, port: 501 });
  wrong(encodeMessage({ ...header, spiI: seeded(3)(8) }, [cookie, ...payloads]), STRANGER);
  const nonce: Payload = { tag: 'Nonce', data: seeded(4)(32) };
  wrong(encodeMessage(header, [cookie, ...payloads.map((one) => (one.tag === 'Nonce' ? nonce : one))]), STRANGER);
  for (let i = 0; i < cookie.data.length; i++) {
    const data = cookie.data.slice();
    data[i] = (data[i] ?? 0) ^ 1;
    wrong(encodeMessage(header, [{ ...cookie, data }, ...payloads]), STRANGER);
  }
  wrong(encodeMessage(header, [note('COOKIE'), ...payloads]), STRANGER);
  // It is good for two to four minutes, and no longer.
  pair.now += 121_000;
  pair.inject(peer, again, STRANGER);
  assert.equal(peer.endpoint.size, size + 1);
});

situation('init-cookie-foreign', 'an old cookie is refused', (side) => {
  const pair = new Pair(...sides());
  const peer = pair[side].other;
  crowded(pair, peer);
  const [bytes] = strangers(peer, 1, () => STRANGER, 8);
  if (!bytes) throw new Error('nothing was sent');
  const [cookie] = parseMessage(peer.sent.at(-1)?.bytes ?? new Uint8Array()).payloads;
  if (!cookie) throw new Error('no cookie');
  const { header, payloads } = parseMessage(bytes);
  pair.now += 241_000;
  pair.inject(peer, encodeMessage(header, [cookie, ...payloads]), STRANGER);
  assert.equal(peer.endpoint.counters().get('wrong-cookie'), 1);
});

situation('init-cookie-threshold', 'from the fourth of one source, and from the thirty-first in all', (side) => {
  const pair = new Pair(...sides());
  const peer = pair[side].other;
  strangers(peer, 3, () => STRANGER);
  assert.equal(peer.endpoint.counters().get('cookie-asked'), undefined);
  strangers(peer, 5, () => STRANGER, 8);
  assert.equal(peer.endpoint.counters().get('cookie-asked'), 5);
  assert.equal(peer.endpoint.size, 3);
  // Others are not made to pay for it.
  strangers(peer, 27, (i) => ({ ip: `198.51.100.${100 + i}`, port: 500 }), 9);
  assert.equal(peer.endpoint.size, 30);
  strangers(peer, 3, (i) => ({ ip: `198.51.100.${200 + i}`, port: 500 }), 10);
  assert.equal(peer.endpoint.counters().get('cookie-asked'), 8);
  assert.equal(peer.endpoint.size, 30);
  // One host has a whole /64 of IPv6.
  const six = new Pair(...sides());
  strangers(six[side], 9, (i) => ({ ip: `2001:db8::${i + 1}`, port: 500 }));
  assert.equal(six[side].endpoint.size, 3);
  // Half-open sessions die after 30 s, and with them the need for cookies.
  pair.run(30_000);
  nothing(pair);
  strangers(peer, 1, () => STRANGER, 11);
  assert.equal(peer.endpoint.counters().get('cookie-asked'), 8);
});

situation('init-cookie-threshold', 'no answer to a stranger is longer than its question', (side) => {
  const pair = new Pair(...sides());
  const peer = pair[side].other;
  crowded(pair, peer);
  const sent = peer.sent.length;
  const requests = strangers(peer, 100, (i) => ({ ip: `203.0.113.${i}`, port: 500 }), 12);
  assert.equal(peer.sent.length - sent, 100);
  peer.sent.slice(sent).forEach(({ bytes }, i) => {
    assert.ok(bytes.length <= (requests[i]?.length ?? 0));
  });
});
