// Whether two gateways have come to rest, and hold the same SAs.

import { hex } from '../../src/bytes/bytes.ts';
import type { ProtectionKeys } from '../../src/crypto/types.ts';
import type { IkeSa } from '../../src/ike/sa.ts';
import type { ChildState } from '../../src/ike/state.ts';
import { Session as Session1 } from '../../src/ike/v1/session.ts';
import { Session } from '../../src/ike/v2/session.ts';
import type { Pair, Side } from './pair.ts';
import { v2 } from './v2.ts';

/** What is still going on. */
export function busy(pair: Pair): string | undefined {
  if (pair.flying > 0) return 'datagrams are under way';
  for (const { name, endpoint } of [pair.left, pair.right]) {
    for (const sa of endpoint.sessions()) {
      const why = sa instanceof Session1 ? busy1(sa) : undefined;
      if (why) return `${name} ${why}`;
    }
    for (const { state } of endpoint.sessions().filter((sa): sa is Session => sa instanceof Session)) {
      if (state.phase !== 'established') return `${name} has a session in ${state.phase}`;
      if (state.outstanding || state.task || state.incoming) return `${name} waits in ${state.task?.kind}`;
      if (state.queue.length > 0 || state.delayed.length > 0) return `${name} has tasks to do`;
      if (state.endAt !== undefined || state.successor !== undefined) return `${name} has a redundant session`;
      for (const { stage, successor } of state.children) {
        if (stage === 'lingering') continue;
        if (stage !== 'installed') return `${name} has a child in ${stage}`;
        if (successor !== undefined) return `${name} has a child that was replaced`;
      }
    }
  }
  return undefined;
}

/** In IKEv1 an SA that was replaced stays until its end, and a finished quick mode still answers repetitions. */
function busy1({ state }: Session1): string | undefined {
  if (state.phase !== 'established') return `has a session in ${state.phase}`;
  if (state.queue.length > 0 || state.probe) return 'has something to ask';
  const quick = state.quicks.find(({ awaits }) => awaits !== 'done');
  if (quick) return `waits in ${quick.awaits}`;
  for (const { stage, successor, contestedAt, removeAt, ours } of state.children) {
    if (stage !== (successor === undefined ? 'installed' : 'rekeyed')) return `has a child in ${stage}`;
    if (contestedAt !== undefined && removeAt !== undefined && ours) return 'has not decided between two children';
  }
  return undefined;
}

/** What one side has otherwise than the other. `gone` are SPIs of which one side has told the other that they are. */
export function disagreement({ left, right }: Pair, gone: ReadonlySet<string> = new Set()): string | undefined {
  const ours = left.live.sessions.map((session) => picture(session, left, false, gone));
  const theirs = right.live.sessions.map((session) => picture(session, right, true, gone));
  const [one, two] = [ours.sort().join('\n'), theirs.sort().join('\n')];
  return one === two ? undefined : `left has\n${one}\nand right has\n${two}\n`;
}

/** An IKE SA with its children, SPIs and keys, the same on both sides. */
function picture(sa: IkeSa, { plane, other }: Side, mirror: boolean, gone: ReadonlySet<string>): string {
  const { state } = sa;
  const { spiI, spiR } = state;
  const sas = new Map(plane.sas.map((sa) => [sa.id, sa]));
  const one = ({ id, name, protocol, mode, suite, spiIn, spiOut }: ChildState) => {
    const sa = sas.get(id);
    const into = `${spiIn} ${text(sa?.inbound.keys)}`;
    const out = `${spiOut} ${text(sa?.outbound.keys)}`;
    return `  ${name} ${protocol} ${mode} ${suite.esn} ${mirror ? `${out} ${into}` : `${into} ${out}`}`;
  };
  const children = state.children
    .filter(({ stage, spiOut }) => stage !== 'lingering' && !gone.has(`${other.name} ${spiOut}`))
    .map(one)
    .sort();
  const secret = hex((sa instanceof Session1 ? sa.state.keys?.skeyidD : v2(sa).state.keys?.skD) ?? new Uint8Array(0));
  return [`${hex(spiI)} ${hex(spiR)} ${secret}`, ...children].join('\n');
}

function text(keys: ProtectionKeys | undefined): string {
  return keys ? `${hex(keys.encrKey)}${hex(keys.integKey)}` : 'nothing';
}
