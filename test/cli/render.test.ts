import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clean } from '../../src/bytes/printable.ts';
import { terminal } from '../../src/cli/io.ts';
import { reasonLines } from '../../src/cli/render/reason.ts';
import { paint } from '../../src/cli/render/style.ts';
import { fit, table } from '../../src/cli/render/table.ts';
import { bytes, duration } from '../../src/cli/render/units.ts';

const WIDE = { width: undefined, colour: false } as const;

test('columns are as wide as their content, and no line ends in spaces', () => {
  const rows = [
    [{ text: 'gw' }, { text: 'connected' }, { text: '' }],
    [{ text: 'branch-office' }, { text: 'down' }, { text: 'why' }],
  ];
  assert.deepEqual(table(['NAME', 'STATE', 'DETAIL'], rows, WIDE), [
    'NAME           STATE      DETAIL',
    'gw             connected',
    'branch-office  down       why',
  ]);
});

test('a table that is too wide loses from its widest columns, marked with …', () => {
  const rows = [[{ text: 'gw' }, { text: 'x'.repeat(30) }, { text: 'y'.repeat(28) }]];
  const lines = table(['A', 'B', 'C'], rows, { width: 40, colour: false });
  assert.equal(lines[1], `gw  ${'x'.repeat(16)}…  ${'y'.repeat(16)}…`);
  assert.deepEqual(
    lines.map((line) => line.length <= 40),
    [true, true],
  );
});

test('widths never grow, and fit the terminal unless columns would become too narrow to tell anything', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 80 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 10, max: 200 }),
      (natural, width) => {
        const widths = fit(natural, width);
        assert.ok(widths.every((each, i) => each <= (natural[i] as number)));
        const line = widths.reduce((sum, each) => sum + each, 2 * (widths.length - 1));
        assert.ok(line <= width || widths.every((each) => each <= 8));
        assert.deepEqual(fit(natural, undefined), natural);
      },
    ),
  );
});

test('colour adds nothing to the width, and is there only on request', () => {
  const rows = [[{ text: 'down', colour: 'red' as const }, { text: 'x' }]];
  assert.equal(table(['STATE', 'D'], rows, WIDE)[1], 'down   x');
  assert.equal(table(['STATE', 'D'], rows, { width: 80, colour: true })[1], '\x1b[31mdown\x1b[0m   x');
  assert.equal(paint('down', undefined, true), 'down');
});

test('what a peer sends cannot steer the terminal', () => {
  assert.equal(clean('a\x1b[2J\r\nb\x9b31m\u202ec'), 'a\\x1b[2J\\x0d\\x0ab\\x9b31m\\u202ec');
  assert.equal(clean('Zürich 東京'), 'Zürich 東京');
});

test('colours need a terminal that can, and no NO_COLOR', () => {
  const stream = (isTTY: boolean) =>
    Object.assign(Object.create(process.stdout), { isTTY, columns: 93, write: () => true });
  const colour = (isTTY: boolean, env: NodeJS.ProcessEnv) => terminal(stream(isTTY), stream(isTTY), env).colour;
  assert.equal(colour(true, {}), true);
  assert.equal(colour(true, { NO_COLOR: '1' }), false);
  assert.equal(colour(true, { NO_COLOR: '' }), true);
  assert.equal(colour(true, { TERM: 'dumb' }), false);
  assert.equal(colour(false, {}), false);
  assert.equal(terminal(stream(true), stream(true), {}).width, 93);
  assert.equal(terminal(stream(false), stream(true), {}).width, undefined);
});

test('durations have their two largest units', () => {
  const shown = [0, 0.9, 59, 60, 61, 3600, 3661, 86_399, 90_000, 864_000].map(duration);
  assert.deepEqual(shown, ['0s', '0s', '59s', '1m', '1m 1s', '1h', '1h 1m', '23h 59m', '1d 1h', '10d']);
});

test('amounts have three figures', () => {
  const shown = [0, 999, 1000, 1234, 9994, 9996, 99_960, 999_499, 999_500, 1_234_567_890, 2 ** 53].map(bytes);
  assert.deepEqual(shown, [
    '0 B',
    '999 B',
    '1.00 kB',
    '1.23 kB',
    '9.99 kB',
    '10.0 kB',
    '100 kB',
    '999 kB',
    '1.00 MB',
    '1.23 GB',
    '9.01 PB',
  ]);
});

test('a reason is a sentence and below it only what is known', () => {
  assert.deepEqual(reasonLines({ code: 'no-answer', text: 'no answer since 12:00:01' }), ['no answer since 12:00:01']);
  const miss = (ours: number) => ({ ours, theirs: 1, kind: 'ke', want: ['CURVE_25519'], got: ['MODP_2048'] });
  assert.deepEqual(reasonLines({ code: 'x', text: 'no', misses: [miss(0)] }), ['no'], 'the sentence says it');
  assert.deepEqual(reasonLines({ code: 'x', text: 'no', misses: [miss(0), miss(1)] }), [
    'no',
    '  miss: our proposal 1, their proposal 1: ke wants CURVE_25519, got MODP_2048',
    '  miss: our proposal 2, their proposal 1: ke wants CURVE_25519, got MODP_2048',
  ]);
  const long = { code: 'x', text: 'one two three four', peer: '192.0.2.2:500', remedy: 'five six sevenandmore eight' };
  assert.deepEqual(reasonLines(long, 20), [
    ...['one two three four', '  peer:   192.0.2.2:500'],
    ...['  remedy: five six', '          sevenandmore', '          eight'],
  ]);
  assert.deepEqual(reasonLines({ code: 'limit', text: '', remedy: 'wait' }), ['limit', '  remedy: wait']);
});
