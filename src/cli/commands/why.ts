// `espalier why NAME`: what went wrong last, with the evidence and what to change; and what is odd about what stands.

import { clean } from '../../bytes/printable.ts';
import type { ConnectionView, FailureView, ReasonView } from '../../daemon/control/status.ts';
import { connections, resolve, withClient } from '../ask.ts';
import { DONE, type Io } from '../io.ts';
import { reasonLines } from '../render/reason.ts';
import { duration } from '../render/units.ts';

export interface WhyArguments {
  readonly control: string;
  readonly json: boolean;
  readonly name: string;
}

/** One thing that is or was wrong. */
interface Finding {
  readonly child?: string;
  /** `now`: why it is not up, or what is odd about it; `last`: what went wrong before. */
  readonly when: 'now' | 'last';
  readonly ago?: number;
  readonly times?: number;
  readonly reason: ReasonView;
}

export async function why({ control, json, name }: WhyArguments, io: Io): Promise<number> {
  const { connection, children, whole } = await withClient(control, async (client) =>
    resolve(name, await connections(client)),
  );
  const concerns = (child: string | undefined) => whole || child === undefined || children.includes(child);
  const findings = found(connection).filter(({ child }) => concerns(child));
  const state = whole ? connection.state : connection.children.find((child) => child.name === children[0])?.state;
  const label = whole ? connection.name : `${connection.name}/${children[0]}`;
  if (json) io.out(JSON.stringify({ name: label, state, findings }, undefined, 2));
  else for (const line of described(label, state ?? 'unknown', findings)) io.out(line);
  return DONE;
}

function found(connection: ConnectionView): Finding[] {
  const findings: Finding[] = [];
  const up = (state: string) => state === 'connected' || state === 'rekeying';
  // A child's reason tells more than that of the connection, which has it from there.
  const children = connection.children.filter(({ state, reason }) => !up(state) && reason.code !== 'ok');
  for (const { name, reason } of children) findings.push({ child: name, when: 'now', reason });
  const said = children.some(({ reason }) => same(reason, connection.reason));
  if (!up(connection.state) && connection.reason.code !== 'ok' && !said) {
    findings.push({ when: 'now', reason: connection.reason });
  }
  for (const { child, reason } of connection.suspicions) findings.push({ child, when: 'now', reason });
  const { failure } = connection;
  const known = failure && findings.some(({ reason }) => same(reason, failure.reason));
  if (failure && !known) findings.push(last(failure));
  return findings;
}

function last({ child, ago, times, reason }: FailureView): Finding {
  return { ...(child === undefined ? {} : { child }), when: 'last', ago, times, reason };
}

function same(a: ReasonView, b: ReasonView): boolean {
  return a.code === b.code && a.text === b.text;
}

function* described(label: string, state: string, findings: readonly Finding[]): Generator<string> {
  yield clean(`${label} is ${state}`);
  if (findings.length === 0) yield 'nothing has gone wrong since the daemon started';
  for (const { child, when, ago, times, reason } of findings) {
    const often = times !== undefined && times > 1 ? `, ${times} times` : '';
    const time = when === 'now' ? '' : `last failure, ${duration(ago ?? 0)} ago${often}: `;
    const [first, ...details] = reasonLines(reason);
    yield '';
    yield `${clean(child === undefined ? '' : `child ${child}: `)}${time}${first} [${clean(reason.code)}]`;
    yield* details;
  }
}
