// Which lines of the list of known faults of IKE daemons are tested: each id stands in brackets in the name of a test,
// here or beside the code that it is about.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sources } from '../structure/source.ts';

interface Line {
  readonly id: string;
  readonly about: string;
  /** Where the same is tested from closer by. */
  readonly also?: readonly string[];
}

const LINES: readonly Line[] = [
  { id: 'A1', about: 'length of the header and of the datagram', also: ['test/ike/wire/mutation.test.ts'] },
  { id: 'A2', about: 'lengths of payloads', also: ['test/ike/wire/body.test.ts', 'test/ike/wire/mutation.test.ts'] },
  { id: 'A3', about: 'long chains and nesting', also: ['test/ike/wire/message.test.ts'] },
  { id: 'A4', about: 'payloads in front of a fragment' },
  { id: 'A5', about: 'payloads missing, doubled, out of order' },
  { id: 'A6', about: 'proposals that cannot work', also: ['test/ike/select.test.ts', 'test/ike/wire/sa.test.ts'] },
  { id: 'A7', about: 'unknown groups' },
  { id: 'A8', about: 'payload types and versions' },
  { id: 'A9', about: 'identities', also: ['test/ike/identity.test.ts', 'test/ike/psk.test.ts'] },
  { id: 'A10', about: 'traffic selectors', also: ['test/ike/ts.test.ts', 'test/ike/wire/body.test.ts'] },
  { id: 'A11', about: 'REKEY_SA and Delete' },
  { id: 'A12', about: 'Delete, dead-peer detection and fragments of what is gone' },
  { id: 'A13', about: 'half-made state of IKEv1 that is used again' },
  { id: 'A19', about: 'a peer’s identity in the environment of a program' },
  { id: 'A20', about: 'fragments' },
  { id: 'A21', about: 'memory in answers' },
  { id: 'A22', about: 'short ESP', also: ['test/esp/frame.test.ts', 'test/esp/hostile.test.ts'] },
  { id: 'A23', about: 'messages of IKEv1 changed in every way', also: ['test/ike/v1/wire/mutation.test.ts'] },
  { id: 'A24', about: 'the control socket', also: ['test/daemon/control/server.test.ts'] },
  { id: 'B1', about: 'exchanges before AUTH' },
  { id: 'B2', about: 'AUTH absent, of zeros, reflected' },
  { id: 'B3', about: 'AUTH changed' },
  { id: 'B7', about: 'informational exchanges without protection' },
  { id: 'B9', about: 'keys and the identities that they are for', also: ['test/ike/psk.test.ts'] },
  { id: 'B11', about: 'downgrade' },
  { id: 'B13', about: 'INITIAL_CONTACT' },
  { id: 'C1', about: 'comparison in constant time', also: ['test/structure/constant-time.test.ts'] },
  { id: 'C2', about: 'one answer to whatever cannot be decrypted' },
  { id: 'C3', about: 'authentication by RSA encryption' },
  {
    id: 'C4',
    about: 'aggressive mode, keys that can be guessed',
    also: ['test/config/lint/general.test.ts', 'test/config/lint/guess.test.ts'],
  },
  { id: 'C5', about: 'small groups and small blocks', also: ['test/esp/limits.test.ts'] },
  { id: 'C6', about: 'public values', also: ['test/crypto/exchange.test.ts', 'test/crypto/wycheproof.test.ts'] },
  { id: 'C7', about: 'IVs and sequence numbers', also: ['test/esp/limits.test.ts'] },
  { id: 'C8', about: 'limits of an SA', also: ['test/esp/limits.test.ts'] },
  { id: 'C9', about: 'randomness', also: ['test/structure/random.test.ts'] },
  { id: 'C10', about: 'wiping keys' },
  { id: 'C13', about: 'leading zeros', also: ['test/crypto/exchange.test.ts'] },
  { id: 'D', about: 'floods' },
  { id: 'E1', about: 'replay', also: ['test/esp/replay.test.ts', 'test/esp/limits.test.ts'] },
  { id: 'E2', about: 'forged sequence numbers', also: ['test/esp/limits.test.ts'] },
  { id: 'E3', about: 'extended sequence numbers', also: ['test/esp/replay.test.ts', 'test/esp/limits.test.ts'] },
  { id: 'E4', about: 'inner addresses', also: ['test/esp/pipeline.test.ts'] },
  { id: 'E5', about: 'clear packets from protected networks', also: ['test/interop/tunnel.test.ts'] },
  { id: 'E6', about: 'packets for a tunnel from another side' },
  { id: 'E7', about: 'selectors that swallow a gateway' },
  { id: 'E8', about: 'ICMP "too big", true and forged' },
  { id: 'E9', about: 'ECN, DSCP and DF', also: ['test/esp/superpackets.test.ts'] },
  { id: 'E10', about: 'packets from the TUN', also: ['test/esp/packet.test.ts'] },
  { id: 'E11', about: 'moving peers', also: ['test/esp/lives.test.ts'] },
  { id: 'E12', about: 'port 4500' },
  { id: 'F', about: 'secrets in the log, permissions, the control socket, scripts' },
  { id: 'G', about: 'reload, restart and crash', also: ['test/system/clear.test.ts'] },
];

const TESTS = sources('test').filter(({ path }) => path.endsWith('.test.ts'));

function named(text: string): string[] {
  return [...text.matchAll(/\btest\(\s*(['"`])\[([A-H]\d*)\] /g)].map(([, , id = '']) => id);
}

test('every line of this stage has a test that is named for it', () => {
  const known = new Set(TESTS.flatMap(({ text }) => named(text)));
  assert.deepEqual(
    LINES.filter(({ id }) => !known.has(id)).map(({ id, about }) => `${id}: ${about}`),
    [],
  );
});

test('every id in the name of a test is one of the list', () => {
  const listed = new Set(LINES.map(({ id }) => id));
  for (const { path, text } of TESTS) {
    for (const id of named(text)) assert.ok(listed.has(id), `[${id}] in ${path}`);
  }
});

test('the tests that are referred to are there', () => {
  const paths = new Set(TESTS.map(({ path }) => path));
  for (const { id, also = [] } of LINES) for (const path of also) assert.ok(paths.has(path), `${id} refers to ${path}`);
});
