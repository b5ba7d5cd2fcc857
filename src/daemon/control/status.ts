// The states of connections on the control socket, both ways: what `espalier-status` sends and what the command line reads.

import { formatSocketAddress } from '../../bytes/ip.ts';
import type { Place } from '../../ike/connection.ts';
import type { Reason } from '../../ike/reason.ts';
import type { ConnectionStatus } from '../status.ts';
import { integer, section, sections, subsection, text, texts } from './section.ts';
import type { Section } from './vici.ts';

/** A `Reason` as it comes from the socket: a newer daemon may know codes and kinds that this program does not. */
export interface ReasonView {
  readonly code: string;
  readonly text: string;
  readonly notify?: string;
  readonly by?: string;
  readonly want?: readonly string[];
  readonly got?: readonly string[];
  readonly misses?: readonly MissView[];
  readonly where?: Place;
  readonly remedy?: string;
  readonly peer?: string;
}

export interface MissView {
  readonly ours: number;
  readonly theirs: number;
  readonly kind: string;
  readonly want: readonly string[];
  readonly got: readonly string[];
}

export interface ChildView {
  readonly name: string;
  readonly state: string;
  readonly reason: ReasonView;
}

export interface FailureView {
  readonly reason: ReasonView;
  readonly child?: string;
  readonly ago: number;
  readonly times: number;
}

export interface ConnectionView extends ChildView {
  /** Seconds in this state. */
  readonly since: number;
  readonly remote: string;
  readonly children: readonly ChildView[];
  readonly failure?: FailureView;
  readonly suspicions: readonly { readonly child?: string; readonly reason: ReasonView }[];
}

/** One `espalier-status` event: a section named like the connection. */
export function connectionSection(status: ConnectionStatus): Section {
  const children = status.children.map(
    (child) => [child.name, section(['state', child.state], ['reason', reasonSection(child.reason)])] as const,
  );
  const { failure } = status;
  const suspicions = status.suspicions.map(
    ({ child, reason }, i) => [String(i + 1), section(['child', child], ['reason', reasonSection(reason)])] as const,
  );
  return section([
    status.name,
    section(
      ['state', status.state],
      ['since', Math.floor(status.since)],
      ['remote', status.remote],
      ['reason', reasonSection(status.reason)],
      ['children', section(...children)],
      [
        'failure',
        failure &&
          section(
            ['child', failure.child],
            ['ago', failure.ago],
            ['times', failure.times],
            ['reason', reasonSection(failure.reason)],
          ),
      ],
      ['suspicions', suspicions.length > 0 ? section(...suspicions) : undefined],
    ),
  ]);
}

export function readConnections(message: Section): readonly ConnectionView[] {
  return sections(message).map(([name, from]) => ({
    name,
    state: text(from, 'state') ?? 'unknown',
    since: integer(from, 'since') ?? 0,
    remote: text(from, 'remote') ?? '',
    reason: readReason(from),
    children: sections(from, 'children').map(([child, inner]) => ({
      name: child,
      state: text(inner, 'state') ?? 'unknown',
      reason: readReason(inner),
    })),
    ...present('failure', readFailure(subsection(from, 'failure'))),
    suspicions: sections(from, 'suspicions').map(([, inner]) => ({
      ...present('child', text(inner, 'child')),
      reason: readReason(inner),
    })),
  }));
}

function readFailure(from: Section | undefined): FailureView | undefined {
  if (!from) return undefined;
  return {
    reason: readReason(from),
    ...present('child', text(from, 'child')),
    ago: integer(from, 'ago') ?? 0,
    times: integer(from, 'times') ?? 1,
  };
}

export function reasonSection(reason: Reason): Section {
  const { where, misses, peer } = reason;
  return section(
    ['code', reason.code],
    ['text', reason.text],
    ['notify', reason.notify],
    ['by', reason.by],
    ['want', reason.want],
    ['got', reason.got],
    [
      'misses',
      misses && section(...misses.map((miss, i) => [String(i + 1), section(...Object.entries(miss))] as const)),
    ],
    ['where', where && section(['file', where.file], ['line', where.line], ['column', where.column])],
    ['remedy', reason.remedy],
    ['peer', peer && formatSocketAddress(peer)],
  );
}

/** The section `reason` of `from`. */
export function readReason(from: Section): ReasonView {
  const inner = subsection(from, 'reason') ?? new Map();
  const where = subsection(inner, 'where');
  const misses = sections(inner, 'misses').map(([, miss]) => readMiss(miss));
  return {
    code: text(inner, 'code') ?? 'unknown',
    text: text(inner, 'text') ?? '',
    ...present('notify', text(inner, 'notify')),
    ...present('by', text(inner, 'by')),
    ...present('want', texts(inner, 'want')),
    ...present('got', texts(inner, 'got')),
    ...present('misses', misses.length > 0 ? misses : undefined),
    ...present('where', where && readPlace(where)),
    ...present('remedy', text(inner, 'remedy')),
    ...present('peer', text(inner, 'peer')),
  };
}

function readMiss(miss: Section): MissView {
  return {
    ours: integer(miss, 'ours') ?? 0,
    theirs: integer(miss, 'theirs') ?? 0,
    kind: text(miss, 'kind') ?? 'unknown',
    want: texts(miss, 'want') ?? [],
    got: texts(miss, 'got') ?? [],
  };
}

function readPlace(place: Section): Place {
  return { file: text(place, 'file') ?? '', line: integer(place, 'line') ?? 0, column: integer(place, 'column') ?? 0 };
}

function present<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  // An absent property and one that is undefined differ for whoever prints JSON.
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: V });
}
