// SECURITY D: strangers who ask for key exchanges that are dear do not keep those who are known from theirs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KE } from '../../src/crypto/ids.ts';
import { keyExchange } from '../../src/crypto/registry.ts';
import { KeyExchanges, type KeyWork } from '../../src/daemon/keyexchange.ts';
import type { Answer } from '../../src/ike/effects.ts';

const GROUP = KE.MODP_3072;
const theirs = keyExchange(GROUP)?.generate().public ?? new Uint8Array(0);

function asked(session: number): KeyWork {
  return { type: 'agree', job: { session, serial: session }, group: GROUP, pair: undefined, theirs };
}

test('[D] of strangers’ key exchanges a bounded number waits, and those of known peers go before them', async () => {
  const order: number[] = [];
  let answered: () => void = () => {};
  const keys = new KeyExchanges((answer: Answer) => {
    order.push(answer.job.session);
    if (answer.job.session > 1000) answered();
  });
  try {
    for (let session = 1; session <= 300; session++) keys.run(asked(session), true);
    assert.ok(keys.dropped >= 300 - 64 - 8, `${keys.dropped} dropped`);
    const done = new Promise<void>((resolve) => {
      answered = resolve;
    });
    keys.run({ type: 'generate', job: { session: 1001, serial: 1 }, group: GROUP }, false);
    await done;
    assert.ok(order.indexOf(1001) < 10, `${order.indexOf(1001)} were before it`);
  } finally {
    await keys.close();
  }
});
