// The data plane with every cipher and integrity algorithm of the registry, two ends back to back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENCR, INTEG } from '../../src/crypto/ids.ts';
import { cipherShape, integrity, protection, supported } from '../../src/crypto/registry.ts';
import { End } from './end.ts';
import { child, ipv4, ipv6, LEFT, RIGHT, udp } from './support.ts';

const NAMES = new Map<number, string>(Object.entries(ENCR).map(([name, id]) => [id, name]));
const INTEG_NAMES = new Map<number, string>(Object.entries(INTEG).map(([name, id]) => [id, name]));

for (const { id: encr, keyBits } of supported.encr) {
  const shape = cipherShape(encr, keyBits);
  assert.ok(shape);
  for (const integ of shape.aead ? [INTEG.NONE] : supported.integ) {
    const suite = {
      encr,
      keyBits,
      integ,
      encrSize: shape.keySize + shape.saltSize,
      integSize: integrity(integ)?.keySize ?? 0,
    };

    test(`packets of every length pass through ${NAMES.get(encr)} ${keyBits ?? ''} with ${INTEG_NAMES.get(integ)}`, () => {
      const { left, right } = child(3, {}, suite);
      const ours = new End({ protection });
      const theirs = new End({ protection });
      ours.install(left);
      theirs.install(right);
      for (let length = 0; length < 34; length++) {
        const text = 'x'.repeat(length);
        const packet = ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53, text));
        const out = ours.outbound(packet, 0);
        assert.ok(out.tag === 'send');
        assert.deepEqual(theirs.inbound(out.bytes, LEFT, true, 0), { tag: 'deliver', packet, id: 3 });
        assert.deepEqual(theirs.inbound(out.bytes, LEFT, true, 0), { tag: 'drop', reason: 'replay' });
      }
      const back = ipv6('fd00:2::1', 'fd00:1::1', udp(1, 2));
      const out = theirs.outbound(back, 0);
      assert.ok(out.tag === 'send');
      for (const at of [4, 7, 8, out.bytes.length - 1]) {
        const forged = out.bytes.slice();
        forged[at] = (forged[at] as number) ^ 0x40;
        assert.deepEqual(ours.inbound(forged, RIGHT, true, 0), { tag: 'drop', reason: 'bad-icv' }, `byte ${at}`);
      }
      assert.deepEqual(ours.inbound(out.bytes, RIGHT, true, 0), { tag: 'deliver', packet: back, id: 3 });
    });
  }
}
