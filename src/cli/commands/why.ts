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
  const own = whole ? connection.state : connection.children.find((child) => child.name === children[0])?.state;
  const state = own ?? 'unknown';
  const label = whole ? connection.name : `${connection.name}/${children[0]}`;
  if (json) io.out(JSON.stringify({ name: label, state, findings }, undefined, 2));
  else for (const line of described(label, state, whole ? connection.since : undefined, findings, io)) io.out(line);
  return DONE;
}

function found(connection: ConnectionView): Finding[] {
  const findings: Finding[] = [];
  const up = (state: string) => state === 'connected' || state === 'rekeying';
  // A child's reason tells more than that of the connection, which has it from there; where there is no IKE SA it is
  // the other way round.
  const children = connection.children.filter(
    ({ state, reason }) => !up(state) && state !== 'phase1-failed' && reason.code !== 'ok',
  );
  for (const { name, reason } of children) findings.push({ child: name, when: 'now', reason });
  const said = children.some(({ reason }) => same(reason, connection.reason));
  // One that is up has a reason, too, while its peer is silent.
  if (connection.reason.code !== 'ok' && !said) {
    const own: Finding = { when: 'now', reason: connection.reason };
    // Without an IKE SA it does not matter how a child has ended before.
    if (connection.state === 'phase1-failed') findings.unshift(own);
    else findings.push(own);
  }
  for (const { child, reason } of connection.suspicions) {
    findings.push({ ...(child === undefined ? {} : { child }), when: 'now', reason });
  }
  const { failure } = connection;
  if (!failure) return findings;
  const known = findings.findIndex(({ reason }) => same(reason, failure.reason));
  const now = findings[known];
  return now ? findings.with(known, { ...now, ...often(failure) }) : [...findings, last(failure)];
}

function last({ child, reason, ...failure }: FailureView): Finding {
  return { ...(child === undefined ? {} : { child }), when: 'last', ...often(failure), reason };
}

function often({ ago, times }: Pick<FailureView, 'ago' | 'times'>): Pick<FailureView, 'ago' | 'times'> {
  return { ago, times };
}

/** Where one goes on for longer its text says so. */
function same(a: ReasonView, b: ReasonView): boolean {
  return a.code === b.code && (a.text === b.text || a.text.endsWith(b.text));
}

function* described(
  label: string,
  state: string,
  since: number | undefined,
  findings: readonly Finding[],
  { width }: Io,
): Generator<string> {
  yield clean(`${label} is ${state}${since === undefined ? '' : ` (for ${duration(since)})`}`);
  if (findings.every(({ when }) => when === 'last')) {
    const meaning = MEANINGS[state];
    if (meaning !== undefined) yield clean(meaning.replace('NAME', label));
  }
  if (findings.length === 0) yield 'nothing has gone wrong since the daemon started';
  for (const { child, when, ago, times, reason } of findings) {
    const since = duration(ago ?? 0);
    const more = times !== undefined && times > 1;
    const before = when === 'last' ? `last failure, ${since} ago${more ? `, ${times} times` : ''}: ` : '';
    const after = when === 'now' && more ? ` (${times} times, the last ${since} ago)` : '';
    const about = `${child === undefined ? '' : `child ${child}: `}${before}`;
    yield '';
    yield* reasonLines({ ...reason, text: `${about}${reason.text || reason.code} [${reason.code}]${after}` }, width);
  }
}

/** What the state means where there is nothing wrong with it. */
const MEANINGS: Readonly<Record<string, string>> = {
  down: 'nobody has started it: espalier up NAME',
  waiting: 'it waits for the first packet to a network behind the peer, and begins then',
  connecting: 'it is being negotiated; the peer has not been silent yet',
};
