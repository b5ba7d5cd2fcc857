// The doctor's report on a terminal.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verdictLines } from '../../src/cli/render/verdicts.ts';
import { wrap, wrapCommand } from '../../src/cli/render/wrap.ts';
import type { Verdict } from '../../src/daemon/doctor/verdict.ts';

const VERDICTS: readonly Verdict[] = [
  { code: 'node-version', about: 'Node', health: 'ok', text: 'Node 24 will do' },
  { code: 'clock', about: 'clock', health: 'note', text: 'no time service keeps it right' },
  {
    code: 'rp-filter',
    about: 'rp_filter',
    health: 'warning',
    text: 'the filter of eth0 is strict: it drops what comes by another way than the answer would go',
    command: 'sysctl -w net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.default.rp_filter=2',
    advice: 'or live with it',
  },
  { code: 'tun', about: '/dev/net/tun', health: 'problem', text: 'there is none\x1b[2J', command: 'modprobe tun' },
];

const report = (all: boolean, width: number | undefined, colour = false) => [
  ...verdictLines(VERDICTS, all, { out: () => {}, err: () => {}, width, colour }),
];

test('the worst comes first, with the command that mends it; what is in order is counted', () => {
  assert.deepEqual(report(false, undefined), [
    'problem  /dev/net/tun  there is none\\x1b[2J',
    '                       # modprobe tun',
    'warning  rp_filter     the filter of eth0 is strict: it drops what comes by another way than the answer would go',
    '                       # sysctl -w net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.default.rp_filter=2',
    '                       or live with it',
    'note     clock         no time service keeps it right',
    '1 problem, 1 warning, 1 note, 1 in order (--all shows what is in order)',
  ]);
  assert.equal(report(true, undefined).at(-2), 'ok       Node          Node 24 will do');
  assert.equal(report(true, undefined).at(-1), '1 problem, 1 warning, 1 note, 1 in order');
});

test('it fits the terminal, and commands can be pasted all the same', () => {
  const lines = report(true, 76);
  for (const line of lines) assert.ok([...line].length <= 76, line);
  const from = lines.findIndex((line) => line.includes('# sysctl'));
  const command = lines.slice(from, from + 2).map((line) => line.trim().replace(/^# /, ''));
  assert.deepEqual(command, ['sysctl -w net.ipv4.conf.eth0.rp_filter=2 \\', 'net.ipv4.conf.default.rp_filter=2']);
});

test('colours are there only where they are wanted', () => {
  assert.ok(report(true, 80, true).some((line) => line.includes('\x1b[31m')));
  assert.ok(report(true, 80).every((line) => !line.includes('\x1b')));
});

test('words are broken into lines, and a word too long for one stands alone', () => {
  assert.deepEqual(wrap('a bb ccc dddd', 4), ['a bb', 'ccc', 'dddd']);
  assert.deepEqual(wrap('a bbbbbbbb c', 4), ['a', 'bbbbbbbb', 'c']);
  assert.deepEqual(wrap('', 4), ['']);
  assert.deepEqual(wrap('a b', undefined), ['a b']);
  assert.deepEqual(wrapCommand('aa bb cc', 7), ['aa bb \\', 'cc']);
});
