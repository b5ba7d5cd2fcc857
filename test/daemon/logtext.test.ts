// The log for people.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readable } from '../../src/daemon/logtext.ts';

const FAILURE = {
  ...{ level: 40, time: 1795248291326, pid: 1, event: 'session-closed', conn: 'office', reason: 'auth-failed' },
  ...{ want: ['a', 'b'], where: '/etc/espalier/swanctl.conf:29', remedy: 'set the same key', msg: 'IKE SA failed' },
};

test('a failure is a sentence with what explains it below, and nothing else', () => {
  const lines = readable(JSON.stringify(FAILURE), false).split('\n');
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d WARN {2}office: IKE SA failed$/);
  assert.deepEqual(lines.slice(1), [
    '         want: a, b',
    '         where: /etc/espalier/swanctl.conf:29',
    '         remedy: set the same key',
  ]);
});

test('what comes from a peer cannot steer the terminal', () => {
  const text = readable(JSON.stringify({ ...FAILURE, msg: 'the peer is \u001b[2J\u202eevil' }), false);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  assert.doesNotMatch(text, /[\x1b\u202e]/);
  assert.match(text, /\\x1b\[2J/);
});

test('a bug has its trace, a line that is no JSON stands as it is, and colours are for those who want them', () => {
  assert.match(
    readable(JSON.stringify({ ...FAILURE, err: { stack: 'Error: x\n    at y' } }), false),
    /Error: x\n +at y$/,
  );
  assert.equal(readable('plain \u0007', false), 'plain \\x07');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour is one
  assert.match(readable(JSON.stringify(FAILURE), true), /\x1b\[33mWARN/);
});
