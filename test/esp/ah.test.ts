// AH (RFC 4302): packets travel in clear and cannot be changed, but for what routers change of the outer header.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INTEG } from '../../src/crypto/ids.ts';
import { integrity } from '../../src/crypto/registry.ts';
import type { ChildSa } from '../../src/ike/effects.ts';
import { dropped, type End, pair, sent } from './end.ts';
import { ipv4, ipv6, selector, udp, whole } from './packets.ts';
import { LEFT, RIGHT } from './support.ts';

const LEFT6 = { ip: '2001:db8::1', port: 0 };
const RIGHT6 = { ip: '2001:db8::2', port: 0 };
const OUT = ipv4('10.1.0.1', '10.2.0.1', udp(1, 2));

function suite(integ: number) {
  return { encr: 0, keyBits: undefined, integ, encrSize: 0, integSize: integrity(integ)?.keySize ?? 0 };
}

function ends(over: Partial<ChildSa> = {}, integ: number = INTEG.HMAC_SHA2_256_128): { left: End; right: End } {
  return pair({ protocol: 'ah', udp: false, local: { ip: LEFT.ip, port: 0 }, ...over }, suite(integ));
}

const INTEGS = Object.entries(INTEG).filter(([, id]) => integrity(id) !== undefined && id !== INTEG.NONE);

for (const [name, integ] of INTEGS) {
  test(`packets pass with ${name}, once each, and with ICVs of its length`, () => {
    const { left, right } = ends({}, integ);
    for (const packet of [OUT, ipv6('fd00:1::1', 'fd00:2::1', udp(1, 2))]) {
      const { bytes } = sent(left.outbound(packet, 0));
      const icv = integrity(integ)?.icvSize ?? 0;
      assert.equal(bytes.length, 20 + Math.ceil((12 + icv) / 4) * 4 + packet.length);
      assert.deepEqual(right.inboundAh(bytes, LEFT.ip), { tag: 'deliver', packet, id: 1 });
      assert.equal(dropped(right.inboundAh(bytes, LEFT.ip)), 'replay');
    }
  });
}

/** Type of service, flags and offset, time to live, checksum (RFC 4302 §3.3.3.1.1.1). */
const MUTABLE = new Set([1, 6, 7, 8, 10, 11]);

test('a byte changed anywhere but where routers change it is noticed', () => {
  const { left, right } = ends();
  const { bytes } = sent(left.outbound(OUT, 0));
  for (const [at, byte] of bytes.entries()) {
    const changed = bytes.slice();
    changed[at] = byte ^ 0x40;
    const outcome = right.inboundAh(changed, LEFT.ip);
    if (MUTABLE.has(at)) continue;
    assert.equal(outcome.tag, 'drop', `byte ${at}`);
  }
});

test('what routers change does no harm', () => {
  const { left, right } = ends();
  for (const at of MUTABLE) {
    const { bytes } = sent(left.outbound(OUT, 0));
    bytes[at] = (bytes[at] as number) ^ 0x10;
    assert.equal(right.inboundAh(bytes, LEFT.ip).tag, 'deliver', `byte ${at}`);
  }
});

test('over IPv6 the addresses are covered, and the header ends on 64 bits', () => {
  const { left, right } = ends({ local: LEFT6, remote: RIGHT6 });
  const { bytes } = sent(left.outbound(OUT, 0));
  assert.equal(bytes.length, Math.ceil((12 + 16) / 8) * 8 + OUT.length);
  assert.equal(dropped(right.inboundAh(bytes, '2001:db8::66')), 'bad-icv');
  // Our end's own address in this family is another one.
  assert.equal(dropped(right.inboundAh(bytes, LEFT6.ip)), 'bad-icv');
  const { right: there } = pair(
    { protocol: 'ah', udp: false, local: LEFT6, remote: RIGHT6 },
    suite(INTEG.HMAC_SHA2_256_128),
    { ip: RIGHT6.ip },
  );
  assert.deepEqual(there.inboundAh(bytes, LEFT6.ip), { tag: 'deliver', packet: OUT, id: 1 });
});

test('transport mode puts AH between the packet’s own header and its payload', () => {
  const selectors = { localTs: [selector(`${LEFT.ip}/32`)], remoteTs: [selector(`${RIGHT.ip}/32`)] };
  const { left, right } = ends({ mode: 'transport', ...selectors });
  const packet = whole(ipv4(LEFT.ip, RIGHT.ip, udp(1, 2), { df: true }), 17);
  const { bytes } = sent(left.outbound(packet, 0));
  assert.equal(bytes[20], 17);
  assert.deepEqual(bytes.slice(-8), packet.slice(-8));
  assert.deepEqual(right.inboundAh(bytes, LEFT.ip), { tag: 'deliver', packet, id: 1 });
});

test('extended sequence numbers are covered whole', () => {
  const { left, right } = ends({ esn: true });
  left.from(1, { NEXT: 2 ** 32 - 1 });
  right.pipelines.shared.replay.newest[right.slotOf(1)] = 2 ** 32 - 2;
  for (let i = 0; i < 3; i++) {
    assert.equal(right.inboundAh(sent(left.outbound(OUT, 0)).bytes, LEFT.ip).tag, 'deliver');
  }
  const { right: behind } = ends({ esn: true });
  assert.equal(dropped(behind.inboundAh(sent(left.outbound(OUT, 0)).bytes, LEFT.ip)), 'bad-icv');
});

test('packets too short for a header, or with a length of their own that cannot be, are dropped by name', () => {
  const { left, right } = ends();
  const { bytes } = sent(left.outbound(OUT, 0));
  for (let length = 0; length < 8; length++) {
    assert.equal(dropped(right.inboundAh(bytes.subarray(0, 20 + length), LEFT.ip)), 'short');
  }
  for (let length = 12; length < 28; length++) {
    assert.equal(dropped(right.inboundAh(bytes.subarray(0, 20 + length), LEFT.ip)), 'short', `${length}`);
  }
  for (const words of [0, 1, 4, 8, 255]) {
    const lying = bytes.slice();
    lying[21] = words;
    assert.equal(dropped(right.inboundAh(lying, LEFT.ip)), 'misaligned', `${words}`);
  }
  assert.equal(right.inboundAh(bytes, LEFT.ip).tag, 'deliver');
});
