// A session as strongSwan's `list-sas` shows it: the same keys, values and order, so that whatever reads charon's output
// reads ours (compared with the output of charon 5.9.8). What does not apply is left out.

import { transformName } from '../../ike/transforms.ts';
import { formatSelector } from '../../ike/ts.ts';
import { TRANSFORM } from '../../ike/wire/constants.ts';
import type { Transform } from '../../ike/wire/payload.ts';
import type { ChildState, ChildStatus, SessionStatus } from '../status.ts';
import { type Entry, section } from './section.ts';
import type { Section } from './vici.ts';

/** Only children in these states have SPIs and counters to show. */
const INSTALLED: ReadonlySet<ChildState> = new Set(['INSTALLED', 'REKEYING', 'REKEYED']);

/** One `list-sa` event. `children` are those of the session that the client asked for. */
export function sessionSection(session: SessionStatus, children: readonly ChildStatus[]): Section {
  return section([session.conn, section(...sessionEntries(session), ['child-sas', childSections(children)])]);
}

function sessionEntries(session: SessionStatus): readonly Entry[] {
  const established = session.state === 'ESTABLISHED';
  return [
    ['uniqueid', session.id],
    ['version', session.version],
    ['state', session.state],
    ['local-host', session.local.ip],
    ['local-port', session.local.port],
    ['local-id', session.localId],
    ['remote-host', session.remote.ip],
    ['remote-port', session.remote.port],
    ['remote-id', session.remoteId],
    ['initiator', session.initiator],
    ['initiator-spi', session.spiI],
    ['responder-spi', session.spiR],
    ['nat-local', session.natLocal],
    ['nat-remote', session.natRemote],
    ['nat-any', session.natLocal || session.natRemote],
    ...algorithms(session.transforms),
    ['established', established ? seconds(session.establishedSince) : undefined],
    ['rekey-time', established ? seconds(session.rekeyIn) : undefined],
    ['reauth-time', established ? seconds(session.reauthIn) : undefined],
    ['tasks-queued', session.tasksQueued.length > 0 ? session.tasksQueued : undefined],
    ['tasks-active', session.tasksActive.length > 0 ? session.tasksActive : undefined],
  ];
}

function childSections(children: readonly ChildStatus[]): Section {
  return section(...children.map((child): Entry => [`${child.name}-${child.id}`, section(...childEntries(child))]));
}

function childEntries(child: ChildStatus): readonly Entry[] {
  return [
    ['name', child.name],
    ['uniqueid', child.id],
    ['reqid', child.reqid],
    ['state', child.state],
    ['mode', child.mode.toUpperCase()],
    ...(INSTALLED.has(child.state) ? installedEntries(child) : []),
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
