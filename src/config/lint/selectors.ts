// Selectors that lie over each other: within a child, and between children. Between children a pair counts, local and
// remote together: the same network of a peer with different ones of ours is in order (FEATURES 0.11).

import { compare } from '../../bytes/bytes.ts';
import type { Child, Connection } from '../../ike/connection.ts';
import { contains, formatSelector, intersect, sameSelector } from '../../ike/ts.ts';
import type { Selector } from '../../ike/wire/ts.ts';
import { type Finding, placeOf } from './finding.ts';
import { isEverything, type Networks, networksOf, relation } from './networks.ts';

export function lintSelectors(connections: readonly Connection[]): Finding[] {
  const all = connections.flatMap((connection) =>
    connection.children.map((child) => ({ connection, child, networks: networksOf(child, connection) })),
  );
  return [...all.flatMap(({ child, networks }) => withinChild(child, networks)), ...betweenChildren(all)];
}

// --- one child -----------------------------------------------------------------------------------------------------------

function withinChild(child: Child, { local, remote }: Networks): Finding[] {
  if (child.mode === 'transport') return [];
  for (const ours of local) {
    for (const theirs of remote) {
      if (isEverything(ours) || isEverything(theirs)) continue;
      const found = overlap(child, ours, theirs);
      if (found) return [{ place: placeOf(child, 'local_ts', 'remote_ts'), ...found }];
    }
  }
  return [];
}

function overlap(child: Child, ours: Selector, theirs: Selector): Omit<Finding, 'place'> | undefined {
  const [here, there] = [formatSelector(ours), formatSelector(theirs)];
  const remedy = 'give each side networks of its own, or translate addresses on one of them';
  switch (relation(ours, theirs)) {
    case 'apart':
      return undefined;
    case 'same': {
      const text = `child ${child.name} has ${here} on both sides: hosts look for each other on their own network`;
      return { severity: 'warning', code: 'overlap-in-child', text, remedy };
    }
    case 'inside': {
      // As a branch has it whose networks are a part of the head office's: what is ours never takes the tunnel.
      const text = `child ${child.name}: our ${here} lies in the peer's ${there}; what is for ours stays here`;
      const advice = 'nothing, if the peer has the rest of that network';
      return { severity: 'info', code: 'overlap-in-child', text, remedy: advice };
    }
    case 'around':
    case 'partly': {
      const text = `child ${child.name}: our ${here} overlaps the peer's ${there}, and hosts here look for those on their own network`;
      return { severity: 'warning', code: 'overlap-in-child', text, remedy };
    }
  }
}

// --- two children --------------------------------------------------------------------------------------------------------

interface Member {
  readonly connection: Connection;
  readonly child: Child;
  readonly networks: Networks;
}

interface Edge {
  readonly member: Member;
  readonly order: number;
  readonly remote: Selector;
}

interface Clash {
  readonly earlier: Member;
  readonly kind: 'same' | 'nested' | 'partly';
  readonly local: Selector;
  readonly remote: Selector;
}

/** A sweep over the remote addresses, so that thousands of children that have nothing in common cost little. */
function betweenChildren(members: readonly Member[]): Finding[] {
  const edges = members
    .flatMap((member, order) => member.networks.remote.map((remote): Edge => ({ member, order, remote })))
    .sort((a, b) => a.remote.start.length - b.remote.start.length || compare(a.remote.start, b.remote.start));
  const clashes = new Map<Member, Clash[]>();
  let open: Edge[] = [];
  for (const edge of edges) {
    open = open.filter(({ remote }) => relation(remote, edge.remote) !== 'apart');
    for (const other of open) {
      if (other.member === edge.member) continue;
      const [first, second] = other.order < edge.order ? [other, edge] : [edge, other];
      const clash = clashOf(first, second);
      const known = clashes.get(second.member);
      if (clash && known) known.push(clash);
      else if (clash) clashes.set(second.member, [clash]);
    }
    open.push(edge);
  }
  return [...clashes].map(([member, found]) => report(member, found));
}

function clashOf(first: Edge, second: Edge): Clash | undefined {
  if (!intersect(first.remote, second.remote)) return undefined;
  for (const mine of first.member.networks.local) {
    for (const local of second.member.networks.local) {
      if (!intersect(mine, local)) continue;
      const kind = kindOf(first.remote, second.remote, mine, local);
      return { earlier: first.member, kind, local, remote: second.remote };
    }
  }
  return undefined;
}

function kindOf(remoteA: Selector, remoteB: Selector, localA: Selector, localB: Selector): Clash['kind'] {
  if (sameSelector(remoteA, remoteB) && sameSelector(localA, localB)) return 'same';
  const nested =
    (contains(remoteA, remoteB) && contains(localA, localB)) ||
    (contains(remoteB, remoteA) && contains(localB, localA));
  return nested ? 'nested' : 'partly';
}

const WORST: readonly Clash['kind'][] = ['partly', 'same', 'nested'];

/** One line for a child, however many others it meets: the worst case, and how many more there are. */
function report({ connection, child }: Member, clashes: readonly Clash[]): Finding {
  const kind = WORST.find((one) => clashes.some((clash) => clash.kind === one)) ?? 'nested';
  const { earlier, local, remote } = clashes.find((clash) => clash.kind === kind) as Clash;
  const others = new Set(clashes.map((clash) => clash.earlier)).size - 1;
  const more = others > 0 ? ` (and ${others} more)` : '';
  const who = `${connection.name}/${child.name}`;
  const other = `${earlier.connection.name}/${earlier.child.name}${more}`;
  const what = `${formatSelector(local)} === ${formatSelector(remote)}`;
  const place = placeOf(child, 'remote_ts', 'local_ts');
  switch (kind) {
    case 'same':
      if (connection === earlier.connection) {
        const text = `child ${who} has the same networks as ${other}, in one connection: ${what}; only the one that came up last gets packets`;
        return { place, severity: 'warning', code: 'same-selectors', text, remedy: 'take one of them away' };
      }
      return {
        place,
        severity: 'info',
        code: 'same-selectors',
        text: `child ${who} has the same networks as ${other}: ${what}; packets take the one that came up last`,
        remedy: 'nothing, if one is to stand in for the other; else give each networks of its own',
      };
    case 'nested': {
      const text = `child ${who} overlaps ${other}: ${what}; packets take the narrower one`;
      const remedy = 'nothing, if the narrower one is meant as an exception';
      return { place, severity: 'info', code: 'nested-selectors', text, remedy };
    }
    case 'partly': {
      const text = `child ${who} overlaps ${other} at ${what}, and neither is a part of the other: here packets take the one with the narrower remote network, and the peer may see it otherwise`;
      const remedy = 'divide the networks so that each pair of local and remote addresses belongs to one child';
      return { place, severity: 'warning', code: 'overlapping-selectors', text, remedy };
    }
  }
}
