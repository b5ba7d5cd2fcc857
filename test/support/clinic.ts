// A gateway's host in namespaces, for the doctor to look at: one wire outside, one inside, and what a test does to it.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Health, Verdict } from '../../src/daemon/doctor/verdict.ts';
import { MAIN } from './espalier.ts';
import { type Space, Topology } from './netns.ts';

export const OURS = '192.0.2.1';
export const PEER = '192.0.2.2';

export interface Settings {
  readonly localTs?: string;
  readonly remoteTs?: string;
  readonly conn?: string;
  readonly child?: string;
}

/** Forwarding between 10.1.0.0/24, which is behind `inside`, and what is behind the peer. */
export function config({ localTs = '10.1.0.0/24', remoteTs = '10.2.0.0/24', conn = '', child = '' }: Settings = {}) {
  return `connections {
    office {
      local_addrs = ${OURS}
      remote_addrs = ${PEER}
      ${conn}
      local {
        auth = psk
      }
      remote {
        auth = psk
      }
      children {
        net {
          local_ts = ${localTs}
          remote_ts = ${remoteTs}
          ${child}
        }
      }
    }
  }
  secrets {
    ike-office {
      secret = "use a long random one: openssl rand -base64 33"
    }
  }`;
}

export interface Look {
  readonly code: number;
  readonly verdicts: readonly Verdict[];
}

export interface LookOptions {
  readonly conf?: string;
  readonly args?: readonly string[];
  readonly stateDir?: string;
  readonly control?: string;
  /** Shell commands that run before it, in a mount namespace that is gone afterwards. */
  readonly before?: string;
  /** What the doctor is started by, as `setpriv …`. */
  readonly by?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The code whose commands are run between two looks. */
  readonly mend?: string;
}

export class Clinic implements AsyncDisposable {
  readonly topology: Topology;
  readonly host: Space;
  readonly peer: Space;
  readonly folder: string;

  private constructor(topology: Topology, host: Space, peer: Space) {
    this.topology = topology;
    this.host = host;
    this.peer = peer;
    this.folder = topology.folder();
  }

  /** In good health. */
  static async open(): Promise<Clinic> {
    const topology = new Topology();
    try {
      const host = await topology.space('host');
      const [peer, inside] = [await topology.space('peer'), await topology.space('inside')];
      await topology.wire(host, [`${OURS}/24`, '2001:db8::1/64'], peer, [`${PEER}/24`, '2001:db8::2/64']);
      await topology.wire(host, ['10.1.0.1/24', 'fd00:a::1/64'], inside, ['10.1.0.2/24', 'fd00:a::2/64']);
      await host.route('default', PEER);
      await host.forward();
      return new Clinic(topology, host, peer);
    } catch (error) {
      await topology.dispose();
      throw error;
    }
  }

  async look(options: LookOptions = {}): Promise<Look> {
    const [first] = await this.#looks(options, 1);
    return first;
  }

  /** Before and after what the doctor has ordered. */
  async mended(
    options: LookOptions & { readonly mend: string },
  ): Promise<{ readonly before: Look; readonly after: Look }> {
    const [before, after] = await this.#looks(options, 2);
    return { before, after: after ?? before };
  }

  /** One shell for all of it, so that its mounts and limits are those of every look. */
  async #looks(options: LookOptions, count: number) {
    const { conf = config(), args = [], before = '', by = [], env = {}, mend } = options;
    const { stateDir = join(this.folder, 'state'), control = `unix://${this.folder}/run/vici.sock` } = options;
    const file = join(this.folder, 'swanctl.conf');
    writeFileSync(file, conf, { mode: 0o600 });
    const out = (n: number) => join(this.folder, `look-${n}.json`);
    const places = ['--state-dir', stateDir, '--control', control];
    const doctor = [...by, process.execPath, MAIN, 'doctor', '--json', '--config', file, ...places, ...args];
    const remedy = `process.stdout.write(JSON.parse(require("fs").readFileSync(process.argv[1])).verdicts.filter(({code,command})=>code===process.argv[2]&&command).map(({command})=>command).join("\\n"))`;
    const variables = Object.entries(env).map(([name, value]) => `${name}=${word(value)}`);
    const look = (n: number) =>
      `env ${[...variables, ...doctor.map(word)].join(' ')} > ${word(out(n))}; echo "code $?"`;
    const script = [
      before,
      look(1),
      ...(count > 1
        ? [`eval "$(${[process.execPath, '-e', remedy, out(1), mend ?? ''].map(word).join(' ')})" 1>&2`, look(2)]
        : []),
    ].join('\n');
    const done = await this.host.run('sh', ['-c', script]);
    const codes = [...done.stdout.matchAll(/^code (\d+)$/gm)].map(([, code]) => Number(code));
    assert.equal(codes.length, count, `${done.stdout}${done.stderr}`);
    const looks = codes.map((code, i): Look => ({ code, verdicts: parsed(out(i + 1), done.stderr) }));
    return looks as [Look, ...Look[]];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.topology.dispose();
  }
}

function parsed(file: string, stderr: string): readonly Verdict[] {
  const text = readFileSync(file, 'utf8');
  try {
    return JSON.parse(text).verdicts;
  } catch {
    throw new Error(`not a report: ${text}${stderr}`);
  }
}

function word(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The verdicts with this code that are not `ok`. */
export function complaints({ verdicts }: Look, code?: string): readonly Verdict[] {
  return verdicts.filter(
    (verdict) => (code === undefined || verdict.code === code) && ['warning', 'problem'].includes(verdict.health),
  );
}

/** Exactly one complaint with this code, of this weight, which says this. */
export function complaint(look: Look, code: string, health: Health, text: RegExp): Verdict {
  const [first, ...more] = complaints(look, code);
  assert.ok(first, `no complaint ${code}: ${JSON.stringify(look.verdicts, undefined, 1)}`);
  assert.deepEqual(more, []);
  assert.equal(first.health, health);
  assert.match(first.text, text);
  return first;
}

export async function clinic(work: (clinic: Clinic) => Promise<void>): Promise<void> {
  await using place = await Clinic.open();
  await work(place);
}

/** One complaint, which what is ordered takes away; nothing else is said before or after. */
export async function mends(
  place: Clinic,
  what: LookOptions & { readonly mend: string },
  health: 'warning' | 'problem',
  text: RegExp,
  command: RegExp,
): Promise<void> {
  const { before, after } = await place.mended(what);
  const found = complaint(before, what.mend, health, text);
  assert.match(found.command ?? '', command);
  assert.equal(before.code, health === 'problem' ? 1 : 0);
  assert.deepEqual(
    complaints(before).filter(({ code }) => code !== what.mend),
    [],
  );
  assert.deepEqual(complaints(after), []);
  assert.equal(after.code, 0);
}
