// What the demonstration shows on terminals of different sizes, and in a file.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { screen } from '../../src/cli/demo/screen.ts';

const HEAD = ['Espalier', '', '[a]---[ gateway A ]===== ESP =====[ gateway B ]---[b]'];
const PARTS = { head: HEAD, foot: ['Ctrl-C ends it.'] };
const ROWS = [{ label: 'tunnel', text: 'connected for 3s', colour: 'green' as const }];
const ESC = '\x1b';

interface Shown {
  readonly show: ReturnType<typeof screen>;
  /** Lines of the picture as it was last drawn, without what controls the terminal. */
  lines(): readonly string[];
  text(): string;
}

function shown(size: { columns: number; rows: number } | undefined, colour = false): Shown {
  const written: string[] = [];
  const out = { write: (text: string) => void written.push(text), colour, size: size && (() => size) };
  const show = screen(out, PARTS, 5);
  return {
    show,
    text: () => written.join(''),
    lines: () => {
      const last = written.findLast((text) => text.includes('\r')) ?? '';
      const plain = last.replaceAll(new RegExp(`${ESC}\\[[?\\d;]*[A-Za-z]`, 'g'), '').replace('\r', '');
      return plain.split('\n').slice(0, -1);
    },
  };
}

test('a long line goes on under its beginning, between words, and no line is wider than the terminal', () => {
  const { show, lines } = shown({ columns: 40, rows: 30 });
  show.event(1, 'no IKE proposal in common: we want MODP_2048, the peer CURVE_25519');
  show.event(2, 'x'.repeat(60));
  assert.deepEqual(lines().slice(-6), [
    '   1.0 s  no IKE proposal in common: we',
    '          want MODP_2048, the peer',
    '          CURVE_25519',
    `   2.0 s  ${'x'.repeat(29)}`,
    `          ${'x'.repeat(29)}`,
    '          xx',
  ]);
  for (const columns of [90, 40, 20, 8]) {
    const narrow = shown({ columns, rows: 24 });
    narrow.show.status(3, ROWS, true);
    narrow.show.event(4, 'no IKE proposal in common: we want MODP_2048, the peer CURVE_25519');
    narrow.show.over();
    assert.deepEqual(
      narrow.lines().filter((line) => line.length >= columns),
      [],
      `${columns}`,
    );
  }
});

test('the drawing gives way to what happens, and is not shown in part', () => {
  const { show, lines } = shown({ columns: 80, rows: 12 });
  show.status(0, ROWS, true);
  assert.ok(lines().includes(HEAD[2] ?? ''));
  for (let n = 0; n < 20; n++) show.event(n, `event ${n}`);
  assert.equal(lines().length, 11);
  assert.deepEqual(lines().slice(0, 4), ['Espalier', '', 'tunnel    connected for 3s', '']);
  assert.equal(lines().at(-1), '  19.0 s  event 19');
  const narrow = shown({ columns: 40, rows: 30 });
  assert.ok(narrow.lines().every((line) => !line.includes('gateway A')));
});

test('where one can look further is said when all has been told', () => {
  const { show, lines } = shown({ columns: 80, rows: 24 });
  show.event(1, 'connected');
  assert.ok(!lines().includes('Ctrl-C ends it.'));
  show.over();
  assert.equal(lines().at(-1), 'Ctrl-C ends it.');
});

test('colours are only where they are wanted, and what came from outside controls nothing', () => {
  for (const colour of [false, true]) {
    const { show, text } = shown({ columns: 80, rows: 24 }, colour);
    show.event(1, `A $ espalier up ${ESC}[31m`, 'bold');
    show.status(2, ROWS, true);
    assert.equal(text().includes(`${ESC}[1m`), colour);
    assert.equal(text().includes(`${ESC}[32m`), colour);
    assert.ok(!text().includes(`${ESC}[31m`));
  }
});

test('in a file what is important is said at once, and the rest now and then; and no line is cut', () => {
  const { show, text } = shown(undefined);
  const long = `remedy: ${'x'.repeat(200)}`;
  show.event(1, long);
  show.status(2, ROWS, false);
  show.status(3, [{ label: 'tunnel', text: 'not yet' }], false);
  show.status(4, [{ label: 'tunnel', text: 'failed' }], true);
  show.over();
  show.close();
  const all = text();
  assert.ok(all.includes(`   1.0 s  ${long}\n`));
  assert.match(all, /2\.0 s {2}tunnel +connected for 3s\n {3}4\.0 s {2}tunnel +failed\n/);
  assert.ok(!all.includes('not yet') && !all.includes(ESC) && !all.includes('Ctrl-C'));
});
