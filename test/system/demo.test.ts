// `npm start` as a user sees it: what it prints, how it ends, and that nothing is left behind however it ends.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { missing } from '../../src/cli/demo/needs.ts';
import { alive, type Process } from '../../src/cli/demo/process.ts';
import { FOLDER, SIDES, SITES } from '../../src/cli/demo/stage.ts';
import { lacking } from '../support/needs.ts';
import { until } from '../support/netns.ts';

const DEMO = join(import.meta.dirname, '../../src/cli/demo.js');
const skip = lacking('root', 'ip', 'namespaces', 'tun', 'ping', 'espalier');

/** A demonstration that takes longer hangs. */
const PATIENCE = 120_000;
/** What every control sequence of a terminal begins with. */
const ESC = '\x1b';

const running = new Set<Demo>();

class Demo {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  text = '';

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.#ended = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk) => {
        this.text += chunk;
      });
    }
    running.add(this);
  }

  static start(...args: readonly string[]): Demo {
    return new Demo(process.execPath, [DEMO, ...args]);
  }

  said(what: RegExp): Promise<boolean> {
    const look = () => {
      if (what.test(this.text)) return true;
      const { exitCode, signalCode } = this.#child;
      assert.deepEqual([exitCode, signalCode], [null, null], `it ended before ${what}:\n${this.text}`);
      return undefined;
    };
    return until(`${what} on the screen`, look, PATIENCE);
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Its exit code, or the signal that ended it. */
  async end(): Promise<unknown> {
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE);
    const [code, signal] = await this.#ended;
    clearTimeout(impatience);
    running.delete(this);
    return code ?? signal;
  }
}

afterEach(async () => {
  for (const demo of running) {
    demo.kill('SIGTERM');
    await demo.end();
  }
});

function children(): readonly Process[] {
  return JSON.parse(readFileSync(join(FOLDER, 'run.json'), 'utf8')).children;
}

function namespaces(): readonly string[] {
  const all: readonly string[] = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  return SIDES.map((side) => SITES[side].namespace).filter((name) => all.includes(name));
}

function nothingLeft(started: readonly Process[]): void {
  assert.deepEqual(started.filter(alive), []);
  assert.deepEqual(namespaces(), []);
  assert.equal(existsSync(FOLDER), false);
}

/** What is to be read, in this order. */
const STORY = [
  /without a tunnel: 10\.1\.0\.1 cannot reach 10\.2\.0\.1/,
  /A \$ espalier up gw\n/,
  /gw\/net: connected/,
  /^ +[\d.]+ s {2}tunnel +connected for \ds, IKEv2 with AES_GCM_16_256/m,
  /have changed the keys of the tunnel/,
  /A \$ espalier reload\n/,
  /added: branch/,
  /1 connection untouched/,
  /the tunnel has not noticed: [1-9]\d* packets sent, \d+ answered, none lost/,
  /a mistake in b\.conf:5: proposals = aes256gcm16-prfsha384-modp2048\n/,
  /B \$ espalier reload\n/,
  /changed: gw/,
  /A \$ espalier down gw\n/,
  /A \$ espalier up gw\n/,
  /gw\/net: failed: the peer accepts none of our IKE proposals\n/,
  /tunnel +phase1-failed: the peer accepts none of our IKE proposals\n/,
  /nothing goes out in clear: 10\.1\.0\.1 cannot reach 10\.2\.0\.1/,
  /B \$ espalier why gw\n/,
  /we want MODP_2048, the peer CURVE_25519 \[no-proposal\]/,
  /where: +\/run\/espalier-demo\/b\.conf:5:/,
  /remedy: peer offers x25519; add `-x25519` to `proposals` in \/run\/espalier-demo\/b\.conf:5/,
  /b\.conf:5 is mended as it says: proposals = aes256gcm16-prfsha384-modp2048-x25519/,
  /B \$ espalier reload\n/,
  /A \$ espalier up gw\n/,
  /gw\/net: connected/,
  /tunnel +connected for/,
  /Through the tunnel: \d+ packets sent, \d+ answered, none lost; keys changed/,
  /Everything is taken away again/,
];

test('without a terminal it shows a tunnel, a reload, a failure and its remedy, and ends by itself', {
  skip,
}, async () => {
  const demo = Demo.start('--seconds', '1');
  await demo.said(/pings/);
  const started = children();
  assert.equal(started.length, 3, 'two gateways and a ping');
  assert.equal(await demo.end(), 0, demo.text);
  let at = 0;
  for (const what of STORY) {
    const found = what.exec(demo.text.slice(at));
    assert.ok(found, `${what} is missing behind:\n${demo.text.slice(0, at)}\n---\n${demo.text.slice(at)}`);
    at += found.index + found[0].length;
  }
  const [, sent, answered] = /Through the tunnel: (\d+) packets sent, (\d+) answered/.exec(demo.text) ?? [];
  assert.equal(answered, sent, demo.text);
  assert.ok(Number(sent) >= 40, `${sent} pings`);
  assert.ok(!demo.text.includes('warns'), 'what goes wrong on purpose is told once');
  assert.ok(!demo.text.includes(ESC), 'no control sequences in a file');
  nothingLeft(started);
});

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGINT', 0],
] as const) {
  test(`${signal} in the middle ends it, and it cleans up`, { skip }, async () => {
    const demo = Demo.start();
    await demo.said(/none lost/);
    const started = children();
    demo.kill(signal);
    demo.kill(signal);
    assert.equal(await demo.end(), code, demo.text);
    assert.match(demo.text, /Everything is taken away again/);
    nothingLeft(started);
  });
}

test('a signal while the tunnel has failed ends it, too', { skip }, async () => {
  const demo = Demo.start();
  await demo.said(/phase1-failed/);
  const started = children();
  demo.kill('SIGTERM');
  assert.equal(await demo.end(), 143, demo.text);
  assert.match(demo.text, /Through the tunnel: \d+ packets sent, \d+ answered, none lost/);
  nothingLeft(started);
});

test('a signal while it is still setting up leaves nothing behind either', { skip }, async () => {
  const demo = Demo.start();
  await demo.said(/gateway B runs/);
  const started = children();
  demo.kill('SIGTERM');
  assert.equal(await demo.end(), 143, demo.text);
  nothingLeft(started);
});

test('what a killed demonstration left is removed by the next one', { skip }, async () => {
  const first = Demo.start();
  await first.said(/none lost/);
  const left = children();
  first.kill('SIGKILL');
  assert.equal(await first.end(), 'SIGKILL');
  assert.ok(left.some(alive), 'its gateways go on');
  assert.deepEqual(namespaces().length, 2);
  const second = Demo.start();
  await second.said(/gw\/net: connected/);
  second.kill('SIGINT');
  assert.equal(await second.end(), 0, second.text);
  assert.match(second.text, /removed what an earlier demonstration left behind/);
  nothingLeft(left);
});

test('only one runs at a time, and a second one does it no harm', { skip }, async () => {
  const first = Demo.start();
  await first.said(/pings/);
  const second = Demo.start();
  assert.equal(await second.end(), 1);
  assert.match(second.text, /a demonstration is running already \(process \d+\)/);
  await first.said(/the tunnel has not noticed: .* none lost/);
  first.kill('SIGINT');
  assert.equal(await first.end(), 0);
});

test('on a terminal it draws in place, without colours if so asked, until Ctrl-C', { skip }, async () => {
  const command = `stty cols 90 rows 30; exec '${process.execPath}' '${DEMO}'`;
  const demo = new Demo('script', ['-qec', command, '/dev/null'], { NO_COLOR: '1', TERM: 'xterm' });
  await demo.said(/connected for \ds/);
  const started = children();
  demo.type('\x03');
  assert.equal(await demo.end(), 0, demo.text);
  const [lines, codes] = [demo.text.split('\n'), demo.text.split(ESC).slice(1)];
  assert.ok(
    codes.some((code) => /^\[\d+A\r/.test(code)),
    'the cursor goes up',
  );
  assert.equal(codes.at(-1)?.startsWith('[?25h'), true, 'and is seen again at the end');
  assert.deepEqual(
    codes.filter((code) => /^\[[\d;]*m/.test(code)),
    [],
  );
  const visible = lines.map((line) =>
    line
      .replaceAll(ESC, '')
      .replace(/\[\??\d*[A-Zhl]/g, '')
      .trimEnd(),
  );
  assert.deepEqual(
    visible.filter((line) => line.length > 90),
    [],
  );
  nothingLeft(started);
});

test('a wrong option is told, and nothing is started', async () => {
  for (const args of [['--seconds', 'soon'], ['--second', '3'], ['now']]) {
    const demo = Demo.start(...args);
    assert.equal(await demo.end(), 2, demo.text);
    assert.match(demo.text, /usage: npm start/);
  }
});

test('without root it says what to run', () => {
  assert.match(missing(1000).join('\n'), /only root may do that[\s\S]*sudo npm start/);
});
