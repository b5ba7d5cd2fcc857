// Log lines on their way out, against a standard output that does as it likes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogOutput } from '../../src/daemon/logoutput.ts';

/** Takes so many bytes of each write, or throws; `text` is what it has. */
class Out {
  text = '';
  takes: (number | 'EAGAIN' | 'ENOSPC')[] = [];

  readonly write = (bytes: Uint8Array): number => {
    const take = this.takes.shift() ?? bytes.length;
    if (typeof take === 'string') throw Object.assign(new Error(take), { code: take });
    this.text += Buffer.from(bytes.subarray(0, take)).toString();
    return take;
  };
}

test('a line goes out at once, whole, however little is taken at a time', () => {
  const out = new Out();
  const log = new LogOutput(out.write);
  log.line('one\n');
  assert.equal(out.text, 'one\n');
  out.takes = [1, 2];
  log.line('three\n');
  assert.equal(out.text, 'one\nthree\n');
  assert.equal(log.failures, 0);
});

test('a disk that is full costs the lines of that time, and the next one stands on a line of its own', () => {
  const out = new Out();
  const log = new LogOutput(out.write);
  out.takes = [3, 'ENOSPC', 'ENOSPC'];
  log.line('begun\n');
  log.line('lost\n');
  log.line('back again\n');
  log.line('and well\n');
  assert.equal(out.text, 'beg\nback again\nand well\n');
  assert.equal(log.failures, 2);
});

test('a reader that is slow is waited for, up to a bound, and in order', () => {
  const out = new Out();
  const log = new LogOutput(out.write);
  out.takes = ['EAGAIN'];
  const line = `${'x'.repeat(100_000)}\n`;
  for (let n = 0; n < 15; n++) log.line(line);
  assert.equal(out.text, '');
  assert.equal(log.failures, 5);
  out.takes = [50_000, 'EAGAIN'];
  log.end();
  assert.equal(out.text, line.repeat(10));
});

test('at the end nobody is waited for for ever', () => {
  const out = new Out();
  const log = new LogOutput(out.write);
  out.takes = new Array(100).fill('EAGAIN');
  log.line('kept\n');
  log.end();
  assert.equal(out.text, '');
});
