// A session as strongSwan's `list-sas` shows it: the same keys, values and order, so that whatever reads charon's output
// reads ours (compared with the output of charon 5.9.8). What does not apply is left out.

import { transformName } from '../../ike/transforms.ts';
import { formatSelector } from '../../ike/ts.ts';
import { TRANSFORM } from '../../ike/wire/constants.ts';
import type { Transform } from '../../ike/wire/payload.ts';
import type { ChildState, ChildStatus, Gateway, SessionStatus } from '../status.ts';
import type { Command } from './channel.ts';
import { refusal, wrong } from './reply.ts';
import { type Entry, printable, section } from './section.ts';
import { selected, target } from './target.ts';
import type { Section } from './vici.ts';

/** Children in these states have no SPIs and counters to show yet. */
const IN_THE_MAKING: ReadonlySet<ChildState> = new Set(['CREATED', 'INSTALLING']);

export function listSas(gateway: Gateway): Command {
  return async (call) => {
    const why = wrong(call);
    if (why !== undefined) return refusal(why);
    if (!call.wants('list-sa')) return new Map();
    const what = target(call.message);
    for (const session of gateway.sessions()) {
      const children = selected(session, what);
      if (children) await call.stream('list-sa', sessionSection(session, children));
    }
    return new Map();
  };
}

/** One `list-sa` event. `children` are those of the session that the client asked for. */
export function sessionSection(session: SessionStatus, children: readonly ChildStatus[]): Section {
  return section([session.conn, section(...sessionEntries(session), ['child-sas', childSections(children)])]);
}

export function sessionEntries(session: SessionStatus): readonly Entry[] {
  const established = session.state === 'ESTABLISHED';
  return [
    ['uniqueid', session.id],
    ['version', session.version],
    ['state', session.state],
    ['local-host', session.local.ip],
    ['local-port', session.local.port],
    ['local-id', printable(session.localId)],
    ['remote-host', session.remote.ip],
    ['remote-port', session.remote.port],
    ['remote-id', printable(session.remoteId)],
    ['initiator', session.initiator],
    ['initiator-spi', session.spiI],
    ['responder-spi', session.spiR],
    ['nat-local', session.natLocal],
    ['nat-remote', session.natRemote],
    ['nat-fake', session.natFake],
    ['nat-any', session.natLocal || session.natRemote || session.natFake],
    ...algorithms(session.transforms),
    ['established', established ? seconds(session.establishedSince) : undefined],
    ['rekey-time', established ? seconds(session.rekeyIn) : undefined],
    ['reauth-time', established ? seconds(session.reauthIn) : undefined],
    ['tasks-queued', session.tasksQueued.length > 0 ? session.tasksQueued : undefined],
    ['tasks-active', session.tasksActive.length > 0 ? session.tasksActive : undefined],
  ];
}

function childSections(children: readonly ChildStatus[]): Section {
  return section(...children.map((child): Entry => [childName(child), section(...childEntries(child))]));
}

export function childName({ name, id }: ChildStatus): string {
  return `${name}-${id}`;
}

export function childEntries(child: ChildStatus): readonly Entry[] {
  return [
    ['name', child.name],
    ['uniqueid', child.id],
    ['reqid', child.reqid],
    ['state', child.state],
    ['mode', child.mode.toUpperCase()],
    ...(IN_THE_MAKING.has(child.state) ? [] : installedEntries(child)),
    ['local-ts', child.localTs.map(formatSelector)],
    ['remote-ts', child.remoteTs.map(formatSelector)],
  ];
}

function installedEntries(child: ChildStatus): readonly Entry[] {
  return [
    ['protocol', child.protocol.toUpperCase()],
    ['encap', child.udp],
    ['spi-in', spi(child.spiIn)],
    ['spi-out', spi(child.spiOut)],
    ...algorithms(child.transforms),
    ['esn', child.esn ? '1' : undefined],
    ['bytes-in', child.bytesIn],
    ['packets-in', child.packetsIn],
    ['use-in', seconds(child.useIn)],
    ['bytes-out', child.bytesOut],
    ['packets-out', child.packetsOut],
    ['use-out', seconds(child.useOut)],
    ['rekey-time', seconds(child.rekeyIn)],
    ['life-time', seconds(child.lifeIn)],
    ['install-time', seconds(child.installedSince)],
  ];
}

function algorithms(transforms: readonly Transform[]): readonly Entry[] {
  const of = (type: number) => transforms.find((transform) => transform.type === type && transform.id !== NONE);
  const encr = of(TRANSFORM.ENCR);
  return [
    ['encr-alg', algorithm(encr)],
    ['encr-keysize', encr?.keyBits],
    ['integ-alg', algorithm(of(TRANSFORM.INTEG))],
    ['prf-alg', algorithm(of(TRANSFORM.PRF))],
    ['dh-group', algorithm(of(TRANSFORM.KE))],
  ];
}

/** INTEG and KE have this id for "none"; charon shows nothing then. */
const NONE = 0;

/** charon's name without the key length, which stands beside it. */
function algorithm(transform: Transform | undefined): string | undefined {
  return transform && transformName({ type: transform.type, id: transform.id });
}

function seconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.floor(value);
}

function spi(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
