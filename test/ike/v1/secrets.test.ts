// In main mode the key is needed before the name is known: which keys are tried (FEATURES §0.13).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../../src/bytes/bytes.ts';
import { Secret, type SharedKey } from '../../../src/ike/connection.ts';
import { id, psk, sides1 } from '../../support/connections.ts';
import { Pair } from '../../support/pair.ts';

/** Knows how often it was looked at. */
class Watched extends Secret {
  looks = 0;

  override reveal(): Uint8Array {
    this.looks++;
    return super.reveal();
  }
}

function watched(text: string, ...owners: readonly string[]): SharedKey & { readonly secret: Watched } {
  return { owners: owners.map(id), secret: new Watched(utf8(text)) };
}

function up(keys: readonly SharedKey[], over = {}): Pair {
  const [left, right] = sides1({}, false, over);
  return Pair.up(left, { ...right, sharedKeys: keys });
}

test('the key of the connection is tried first, and no other once it fits', () => {
  const others = Array.from({ length: 50 }, (_, i) => watched(`the secret of somebody else ${i}`, `other-${i}.test`));
  const pair = up([...others, psk(undefined, 'left.test', 'right.test')]);
  assert.equal(pair.right.live.children.length, 1);
  assert.deepEqual(
    others.filter(({ secret }) => secret.looks > 0).map(({ owners }) => owners.length),
    [],
  );
});

test('where the connection says nothing of the peer’s name, its key is found among many', () => {
  const others = Array.from({ length: 40 }, (_, i) => watched(`the secret of somebody else ${i}`, `other-${i}.test`));
  const pair = up([...others, psk(undefined, 'left.test')], { remoteId: { kind: 'any' } });
  assert.equal(pair.right.live.children.length, 1);
});
