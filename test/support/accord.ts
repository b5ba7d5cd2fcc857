// Whether two gateways have come to rest, and hold the same SAs.

import { hex } from '../../src/bytes/bytes.ts';
import type { ProtectionKeys } from '../../src/crypto/types.ts';
import type { ChildState } from '../../src/ike/state.ts';
import type { Session } from '../../src/ike/v2/session.ts';
import type { Pair, Side } from './pair.ts';
import { sessions2, v2 } from './v2.ts';

/** What is still going on. */
export function busy(pair: Pair): string | undefined {
  if (pair.flying > 0) return 'datagrams are under way';
  for (const { name, endpoint } of [pair.left, pair.right]) {
    for (const { state } of sessions2(endpoint)) {
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

/** What one side has otherwise than the other. */
export function disagreement({ left, right }: Pair): string | undefined {
  const ours = left.live.sessions.map((session) => picture(v2(session), left, false));
  const theirs = right.live.sessions.map((session) => picture(v2(session), right, true));
  const [one, two] = [ours.sort().join('\n'), theirs.sort().join('\n')];
  return one === two ? undefined : `left has\n${one}\nand right has\n${two}\n`;
}

/** An IKE SA with its children, SPIs and keys, the same on both sides. */
function picture({ state }: Session, { plane }: Side, mirror: boolean): string {
  const { keys, spiI, spiR } = state;
  const sas = new Map(plane.sas.map((sa) => [sa.id, sa]));
  const one = ({ id, name, protocol, mode, suite, spiIn, spiOut }: ChildState) => {
    const sa = sas.get(id);
    const into = `${spiIn} ${text(sa?.inbound.keys)}`;
    const out = `${spiOut} ${text(sa?.outbound.keys)}`;
    return `  ${name} ${protocol} ${mode} ${suite.esn} ${mirror ? `${out} ${into}` : `${into} ${out}`}`;
  };
  const children = state.children
    .filter(({ stage }) => stage !== 'lingering')
    .map(one)
    .sort();
  const secret = keys ? hex(keys.skD) : '';
  return [`${hex(spiI)} ${hex(spiR)} ${secret}`, ...children].join('\n');
}

function text(keys: ProtectionKeys | undefined): string {
  return keys ? `${hex(keys.encrKey)}${hex(keys.integKey)}` : 'nothing';
}
