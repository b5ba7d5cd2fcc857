// Fingerprints of the configuration: the same for the same meaning, and nothing in them of where it stands.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprints, overall } from '../../src/daemon/fingerprint.ts';
import type { Connection } from '../../src/ike/connection.ts';
import { child, connection } from '../support/connections.ts';

function of(...conns: readonly Connection[]) {
  return fingerprints(conns.map((conn) => ({ conn, origin: 'file' as const })));
}

const PLACE = { file: 'elsewhere.conf', line: 7, column: 1 };

test('what means the same has the same fingerprint, wherever and in whatever order it stands', () => {
  const conn = connection();
  const turned = Object.fromEntries(Object.entries(conn).reverse()) as unknown as Connection;
  const moved = { ...turned, where: new Map([['remote_addrs', PLACE]]) };
  assert.deepEqual(of(moved), of(conn));
  const other = connection({ name: 'other' });
  assert.equal(overall(of(conn, other)), overall(of(other, conn)));
});

test('whatever is changed changes it, in a child too', () => {
  const prints = [
    connection(),
    connection({ dpdDelay: 1 }),
    connection({ children: [child({ replayWindow: 1 })] }),
    connection({ remotePort: 4711 }),
    connection({ children: [] }),
  ].map((conn) => of(conn).get('gw'));
  assert.equal(new Set(prints).size, prints.length);
  assert.ok(prints.every((print) => print?.startsWith('sha256:')));
});

test('those that are asked for by name are all that is told', () => {
  const configured = ['a', 'b', 'c'].map((name) => ({ conn: connection({ name }), origin: 'file' as const }));
  assert.deepEqual([...fingerprints(configured, ['b', 'z']).keys()], ['b']);
});
