// One way for a tunnel to fail, and what `espalier why` has to say of it where Espalier began the tunnel and where the
// peer did: the code, the line of our file that it is about, and the remedy. The log says the same.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { Espalier, type LogLine } from '../support/espalier.ts';
import type { Gateway } from '../support/gateway.ts';
import { type Space, until } from '../support/netns.ts';
import { type Plan, type Side, swanctlConf } from './plan.ts';
import { Lab } from './scenario.ts';

/** Who begins: what is known of a refusal depends on it. */
export type Role = 'initiator' | 'responder';

export interface Verdict {
  readonly code: string;
  /** Of the connection. */
  readonly state: string;
  readonly when?: 'now' | 'last';
  /** How the line begins that is named: with the option, or with the name of the section. Null where it is no line's. */
  readonly where: string | null;
  readonly text: RegExp;
  readonly remedy: RegExp;
}

export interface Cause {
  readonly what: string;
  /** a is Espalier and b a strongSwan, unless it says otherwise. */
  readonly plan?: Partial<Plan>;
  /** Before anybody begins. */
  readonly given?: (lab: Lab) => Promise<unknown>;
  /** In place of beginning, and of waiting until that has failed. */
  readonly provoke?: (lab: Lab, role: Role) => Promise<unknown>;
  /** What `given` and `provoke` have done to the network is undone. */
  readonly after?: (lab: Lab) => Promise<unknown>;
  readonly says: Partial<Record<Role, Verdict>>;
}

/** One attempt with short waits: what is to be seen here is why it fails. */
const HASTY = `keyingtries = 1
    retry_interval = 0
    retransmit {
      base = 200ms
      tries = 3
    }`;

export const V1 = { version: 1, ike: 'aes128-sha256-modp2048', esp: 'aes128-sha256' } as const;
export const V2 = { ike: 'aes128-sha256-modp2048', esp: 'aes128-sha256' } as const;

export function planOf({ plan = {} }: Cause): Plan {
  const { a = 'espalier', b = 'strongswan', differs } = plan;
  const hasty = (side: Side, kind: Gateway['kind']) => {
    const conn = `${kind === 'espalier' ? HASTY : ''}\n    ${differs?.[side]?.conn ?? plan.conn ?? ''}`;
    return { ...differs?.[side], conn };
  };
  return { ...plan, a, b, differs: { a: hasty('a', a), b: hasty('b', b) } };
}

/** The same cause over both versions. */
export function inBoth(causes: (version: 1 | 2, plan: Partial<Plan>) => Cause): readonly Cause[] {
  return [causes(2, V2), causes(1, V1)].map((cause, i) => ({ ...cause, what: `${cause.what}, IKEv${2 - i}` }));
}

interface Finding {
  readonly child?: string;
  readonly when: 'now' | 'last';
  readonly reason: {
    readonly code: string;
    readonly text: string;
    readonly where?: { readonly file: string; readonly line: number };
    readonly remedy?: string;
  };
}

interface Answer {
  readonly state: string;
  readonly findings: readonly Finding[];
}

/** All causes on the same two machines, one after the other, in either role. */
export async function table(t: TestContext, causes: readonly Cause[]): Promise<void> {
  let lab: Lab | undefined;
  try {
    for (const cause of causes) {
      for (const role of ['initiator', 'responder'] as const) {
        const verdict = cause.says[role];
        if (!verdict) continue;
        await t.test(`${cause.what}, Espalier is the ${role}`, async () => {
          lab = lab ? await lab.again(planOf(cause)) : await Lab.start(planOf(cause));
          await judge(lab, cause, role, verdict);
        });
      }
    }
  } finally {
    await lab?.dispose();
  }
}

export async function judge(lab: Lab, cause: Cause, role: Role, verdict: Verdict): Promise<void> {
  const espalier = ours(lab);
  const lines = espalier.lines.length;
  await cause.given?.(lab);
  try {
    await (cause.provoke ?? begin)(lab, role);
    const says = async () => {
      const answer = (await espalier.json('why', 'gw')) as Answer;
      const found = answer.findings.some(({ reason }) => reason.code === verdict.code);
      return found && answer.state === verdict.state ? answer : undefined;
    };
    const answer = await until(`${verdict.state}, and why says ${verdict.code}`, says, 40_000);
    check(answer, verdict, espalier, espalier.lines.slice(lines));
  } catch (error) {
    const text = error instanceof Error ? error.message : error;
    throw new Error(`${text}\n${(await espalier.cli('why', 'gw')).stdout}\n${await lab.logs()}`);
  } finally {
    await cause.after?.(lab);
  }
}

/** Whether it succeeds is not this one's business. */
export function begin(lab: Lab, role: Role): Promise<unknown> {
  if (role === 'initiator') return ours(lab).cli('up', 'gw');
  return theirs(lab).swanctl('--initiate', '--child', 'net', '--timeout', '2');
}

function check({ state, findings }: Answer, verdict: Verdict, espalier: Espalier, log: readonly LogLine[]): void {
  const said = JSON.stringify({ state, findings }, undefined, 2);
  const finding = findings.find(({ reason }) => reason.code === verdict.code);
  assert.ok(finding);
  const { reason, when } = finding;
  assert.equal(when, verdict.when ?? 'now', said);
  assert.match(reason.text, verdict.text, said);
  assert.match(reason.remedy ?? '', verdict.remedy, said);
  const { where } = reason;
  const line = where && written(where);
  assert.equal(where?.file, verdict.where === null ? undefined : espalier.config, said);
  assert.ok(line === undefined || line.startsWith(`${verdict.where}`), `the line named is "${line}"\n${said}`);
  const told = log.some((one) => one.reason === verdict.code && one.remedy === reason.remedy);
  assert.ok(told || UNTOLD.has(verdict.code), `the log does not say it: ${said}`);
}

/** What is a matter of counters is no event, nor what we wanted; and who was not known called no connection by name. */
const UNTOLD: ReadonlySet<string> = new Set([
  'admin-down',
  'esp-blocked',
  'no-traffic-back',
  'no-traffic-out',
  'narrowed',
  'no-connection',
]);

function written({ file, line }: { readonly file: string; readonly line: number }): string {
  return (readFileSync(file, 'utf8').split('\n')[line - 1] ?? '').trim();
}

export function ours({ a, b }: Lab): Espalier {
  if (a instanceof Espalier) return a;
  if (b instanceof Espalier) return b;
  throw new Error('neither side is Espalier');
}

/** The other side, also where that is an Espalier, too. */
export function theirs({ a, b }: Lab): Gateway {
  return a instanceof Espalier ? b : a;
}

/** What the network does to packets from now on, by a rule of nftables, until `mend`. */
export function impair(space: Space, rule: string): Promise<string> {
  return space.nft(`
    table inet impaired {
      chain arriving {
        type filter hook prerouting priority -400;
        ${rule}
      }
      chain leaving {
        type filter hook output priority -400;
        ${rule}
      }
    }`);
}

export function mend(space: Space): Promise<string> {
  return space.nft('table inet impaired\ndelete table inet impaired');
}

/** Starts one side anew with its configuration changed. */
export async function rewritten(lab: Lab, gateway: Gateway, change: (conf: string) => string): Promise<void> {
  await gateway.stop();
  await gateway.start(change(swanctlConf(lab.plan, gateway === lab.a ? 'a' : 'b')));
}

/** The secret is for somebody else. */
export function elsewhere(conf: string): string {
  return conf.replace(/id-1 = .*/, 'id-1 = one.example.org').replace(/id-2 = .*/, 'id-2 = two.example.org');
}
