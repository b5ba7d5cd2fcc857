import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Strangers } from '../../src/daemon/strangers.ts';
import { connection } from '../support/connections.ts';

test('who called in vain is remembered for a while, the last three of them, the latest first', () => {
  const strangers = new Strangers();
  const conn = connection();
  assert.equal(strangers.hint(0, conn), undefined);
  for (const [i, ip] of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.2'].entries()) {
    strangers.called(i * 1000, ip);
  }
  const hint = strangers.hint(10_000, conn);
  assert.deepEqual(hint?.got, ['192.0.2.2', '192.0.2.4', '192.0.2.3']);
  assert.match(hint?.text ?? '', /: 192\.0\.2\.2 6 s ago \(2 times\), 192\.0\.2\.4 7 s ago, 192\.0\.2\.3 8 s ago$/);
  assert.equal(strangers.hint(604_500, conn), undefined);
});
