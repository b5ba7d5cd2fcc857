// What is protected of many connections at once, and what a refusal of the kernel costs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { formatPrefix, type Prefix } from '../../src/bytes/ip.ts';
import { Gateway } from '../../src/daemon/gateway.ts';
import { Protection } from '../../src/daemon/protection.ts';
import type { Connection } from '../../src/ike/connection.ts';
import { EPERM, SystemError } from '../../src/net/error.ts';
import type { Routes } from '../../src/net/types.ts';
import { hostAt, NO_ROUTES } from '../security/gateways.ts';
import { child, connection, selectors } from '../support/connections.ts';
import { MemoryNet, MemoryTun } from '../support/memory.ts';
import { TwinPipelines } from '../support/pipelines.ts';
import { seeded } from '../support/random.ts';

interface Stage {
  readonly routes: Routes;
  readonly protection: Protection;
  /** What is in force, and how often. */
  readonly laid: Map<string, number>;
  readonly refused: Set<string>;
  /** What the kernel does not take back. */
  readonly stuck: Set<string>;
  readonly told: string[];
  /** Networks that are guarded together. */
  readonly together: string[][];
  /** Of the data plane. */
  readonly traps: Set<number>;
  asked: number;
}

function stage(): Stage {
  const laid = new Map<string, number>();
  const refused = new Set<string>();
  const stuck = new Set<string>();
  const told: string[] = [];
  const together: string[][] = [];
  const traps = new Set<number>();
  const lay = (what: string) => (prefix: Prefix) => {
    const name = `${what} ${formatPrefix(prefix)}`;
    if (refused.has(name)) throw new SystemError('RTM_NEWROUTE', EPERM);
    laid.set(name, (laid.get(name) ?? 0) + 1);
  };
  const take = (what: string) => (prefix: Prefix) => {
    const name = `${what} ${formatPrefix(prefix)}`;
    const left = (laid.get(name) ?? 0) - 1;
    assert.ok(left >= 0, `${name} was not there`);
    if (stuck.has(name)) throw new SystemError('RTM_DELROUTE', EPERM);
    if (left > 0) laid.set(name, left);
    else laid.delete(name);
  };
  const routes: Routes = {
    ...NO_ROUTES,
    ...{ add: lay('route'), remove: take('route'), guard: lay('guard'), unguard: take('guard') },
    ...{ block: lay('block'), unblock: take('block') },
    together: (sources, act) => {
      together.push(sources.map(formatPrefix));
      act();
    },
  };
  const made = {
    ...{ routes, laid, refused, stuck, told, together, traps, asked: 0 },
    protection: new Protection({
      routes,
      host: {
        ...hostAt('192.0.2.1'),
        addresses: () => {
          made.asked++;
          return ['192.0.2.1'];
        },
      },
      plane: { trap: (policy) => void traps.add(policy), untrap: (policy) => void traps.delete(policy) },
      mtu: 1400,
      guarded: (what, act) => {
        try {
          act();
        } catch {
          told.push(what);
        }
      },
    }),
  };
  return made;
}

function conn(name: string, ...networks: readonly string[]): Connection {
  const children = networks.map((network, n) => child({ name: `net${n}`, remoteTs: selectors(network) }));
  return connection({ name, children });
}

const wanted = (...conns: readonly Connection[]) => conns.map((one) => ({ conn: one, children: one.children }));

function all(...networks: readonly string[]): readonly string[] {
  return networks.flatMap((network) => ['block', 'guard', 'route'].map((what) => `${what} ${network}`)).sort();
}

test('what is to be asked of the host, or laid as a guard, is so once for all of them', () => {
  const made = stage();
  const { protection, laid, together } = made;
  const networks = Array.from({ length: 100 }, (_, n) => `10.7.${n}.0/24`);
  protection.protect(wanted(...networks.map((network, n) => conn(`c${n}`, network))));
  assert.deepEqual([...laid.keys()].sort(), all(...networks));
  assert.deepEqual(together, [networks]);
  assert.equal(made.asked, 1);
});

test('what the kernel refuses costs one child, which is named, and no other of its connection or behind it', () => {
  const { protection, laid, refused, told } = stage();
  refused.add('route 10.7.1.0/24');
  refused.add('guard 10.8.0.0/24');
  protection.protect(
    wanted(conn('a', '10.7.0.0/24', '10.7.1.0/24', '10.7.2.0/24'), conn('b', '10.8.0.0/24'), conn('c', '10.9.0.0/24')),
  );
  assert.deepEqual(told, ['what is protected of a/net1', 'what is protected of b/net0']);
  const half = ['route 10.8.0.0/24', 'block 10.8.0.0/24'];
  assert.deepEqual([...laid.keys()].sort(), [...all('10.7.0.0/24', '10.7.2.0/24', '10.9.0.0/24'), ...half].sort());
  for (const name of ['a', 'b', 'c']) protection.withdraw(name);
  assert.deepEqual([...laid.keys()], [], 'all of it can be taken back');
});

/** What goes while `act` runs. */
function gone(laid: Map<string, number>, act: () => void): readonly string[] {
  const names: string[] = [];
  const forget = laid.delete.bind(laid);
  laid.delete = (name) => {
    names.push(name);
    return forget(name);
  };
  act();
  laid.delete = forget;
  return names.sort();
}

test('[E5] a network that goes from one child to another is protected all the while', () => {
  const { protection, laid } = stage();
  protection.protect(wanted(conn('a', '10.7.0.0/24', '10.8.0.0/24'), conn('b', '10.6.0.0/24')));
  const within = wanted(conn('a', '10.8.0.0/24', '10.9.0.0/24'));
  assert.deepEqual(
    gone(laid, () => protection.protect(within)),
    all('10.7.0.0/24'),
  );
  const across = wanted(conn('a', '10.5.0.0/24', '10.9.0.0/24'), conn('b', '10.8.0.0/24'));
  assert.deepEqual(
    gone(laid, () => protection.protect(across)),
    all('10.6.0.0/24'),
  );
});

test('[E5] a connection that gets another name protects the same networks all the while', () => {
  const { routes, laid } = stage();
  const net = new MemoryNet();
  const [ike, nat] = [net.openUdp(['192.0.2.1'], 500), net.openUdp(['192.0.2.1'], 4500)];
  const now = () => 0;
  const pipelines = new TwinPipelines({ now });
  const gateway = new Gateway({
    io: { ike, nat, raw: false, tun: new MemoryTun(), routes, host: hostAt('192.0.2.1'), pipelines },
    ...{ random: seeded(1), now, log: pino({ level: 'silent' }), sharedKeys: [] },
    connections: [conn('a', '10.7.0.0/24'), conn('b', '10.8.0.0/24', '10.9.0.0/24')],
  });
  gateway.protect();
  gateway.start();
  assert.deepEqual([...laid.keys()].sort(), all('10.7.0.0/24', '10.8.0.0/24', '10.9.0.0/24'));
  const renamed = [conn('c', '10.7.0.0/24'), conn('b', '10.6.0.0/24', '10.9.0.0/24'), conn('d', '10.8.0.0/24')];
  const reload = () => gateway.change((connections) => connections.configure((files) => files.read(renamed, [])));
  assert.deepEqual(gone(laid, reload), []);
  assert.deepEqual([...laid.keys()].sort(), all('10.6.0.0/24', '10.7.0.0/24', '10.8.0.0/24', '10.9.0.0/24'));
});

test('[E5] the old stays until the new is laid, and where the kernel refuses the new it stays', () => {
  const { protection, laid, refused } = stage();
  protection.protect(wanted(conn('a', '10.7.0.0/24', '10.8.0.0/24')));
  refused.add('guard 10.7.9.0/24');
  protection.protect(wanted(conn('a', '10.7.9.0/24', '10.8.9.0/24')));
  const half = ['route 10.7.9.0/24', 'block 10.7.9.0/24'];
  assert.deepEqual([...laid.keys()].sort(), [...all('10.7.0.0/24', '10.8.9.0/24'), ...half].sort());
  refused.clear();
  protection.protect(wanted(conn('a', '10.7.9.0/24')));
  assert.deepEqual([...laid.keys()].sort(), all('10.7.9.0/24'), 'until it can be had');
  protection.withdraw('a');
  assert.deepEqual([...laid.keys()], []);
});

test('what the kernel does not take back keeps nothing else', () => {
  const { protection, laid, stuck, told, traps } = stage();
  const a = conn('a', '10.7.0.0/24', '10.8.0.0/24');
  const b = conn('b', '10.9.0.0/24');
  protection.protect(wanted(a, b));
  for (const one of [a, b]) for (const { name } of one.children) protection.trap(one, name);
  stuck.add('route 10.7.0.0/24').add('guard 10.7.0.0/24').add('route 10.9.0.0/24');
  assert.throws(() => protection.untrap('b', 'net0'), SystemError);
  protection.trap(b, 'net0');
  assert.deepEqual([...traps], [1, 2, 4], 'a trap that could not go well has gone, and can come again');
  protection.protect([...wanted(conn('b', '10.6.0.0/24')), { conn: a, children: [] }]);
  assert.deepEqual(told, ['what was protected of b/net0', 'what was protected of a/net0']);
  assert.deepEqual([...traps], [5]);
  protection.withdraw('b');
  assert.deepEqual([...laid.keys()].sort(), ['guard 10.7.0.0/24', 'route 10.7.0.0/24', 'route 10.9.0.0/24']);
  assert.deepEqual([...traps], []);
  stuck.clear();
  stuck.add('guard 10.1.0.0/24').add('route 10.2.0.0/24');
  protection.protect(wanted(conn('c', '10.1.0.0/24', '10.2.0.0/24', '10.3.0.0/24')));
  assert.throws(() => protection.withdraw('c'), SystemError);
  assert.deepEqual([...laid.keys()].sort().slice(0, 3), [
    'guard 10.1.0.0/24',
    'guard 10.7.0.0/24',
    'route 10.2.0.0/24',
  ]);
});
