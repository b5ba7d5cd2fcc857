// An ipsec.conf that is read again, with conns that share a connection coming, going and changing places: the
// connection stays the one that it was.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Difference, difference } from '../../../src/config/changes.ts';
import { loadSwanctl } from '../../../src/config/swanctl.ts';
import { Configuration } from '../../../src/daemon/configuration.ts';
import type { Connection } from '../../../src/ike/connection.ts';
import { read } from './read.ts';

/** Conns of one peer unless another is written: `a`, or `a 192.0.2.9`. */
function conns(...names: readonly string[]): readonly Connection[] {
  const sections = names.map((written) => {
    const [name = '', peer = '192.0.2.2'] = written.split(' ');
    return `conn ${name}\n  also=all\n  right=${peer}\n  rightsubnet=10.${name.charCodeAt(0)}.0.0/16\n  auto=add\n`;
  });
  return read(`conn all\n  authby=psk\n${sections.join('')}`).connections;
}

interface Summary {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** What each reading finds after the one before it. */
function reread(...readings: readonly (readonly Connection[])[]): readonly Summary[] {
  const configuration = new Configuration([], []);
  return readings.map((connections) => {
    const before = configuration.connections();
    configuration.read(connections, []);
    return summary(difference(before, configuration.connections()));
  });
}

function summary({ added, removed, changed }: Difference): Summary {
  const names = (all: readonly { readonly name: string }[]) => all.map(({ name }) => name);
  const changes = changed.flatMap(({ after, reconnect, ...children }) => [
    `${after.name}${reconnect ? ' anew' : ''}`,
    ...children.added.map(({ name }) => `+${name}`),
    ...children.removed.map(({ name }) => `-${name}`),
    ...children.children.map((child) => `${child.after.name}${child.remake ? ' anew' : ''}`),
  ]);
  return { added: names(added), removed: names(removed), changed: changes };
}

const NOTHING: Summary = { added: [], removed: [], changed: [] };

test('the conn that gave a connection its name can go: the others stay as they are', () => {
  const [, found, again] = reread(conns('a', 'b', 'c'), conns('b', 'c'), conns('b', 'c'));
  assert.deepEqual(found, { added: [], removed: [], changed: ['a', '-a'] });
  assert.deepEqual(again, NOTHING);
});

test('a new conn in front of the others does not rename what stands', () => {
  const [, found, back] = reread(conns('a'), conns('z', 'a'), conns('a', 'z'));
  assert.deepEqual(found, { added: [], removed: [], changed: ['a', '+z'] });
  assert.deepEqual(back, NOTHING);
});

test('conns in another order are the same connection', () => {
  assert.deepEqual(reread(conns('a', 'b'), conns('b', 'a'))[1], NOTHING);
});

test('a name is not kept that another connection or one of its children has now', () => {
  const [, found] = reread(conns('a', 'b'), conns('b', 'a 192.0.2.9'));
  assert.deepEqual(found?.added, ['b']);
  const [, behind] = reread(conns('a', 'b'), conns('b', 'x 192.0.2.9', 'a 192.0.2.9'));
  assert.deepEqual(behind, { added: ['b'], removed: [], changed: ['a anew', '+x', '-b'] });
});

test('when a connection falls apart, one part has the name', () => {
  const [, found] = reread(conns('a', 'b', 'c'), conns('b', 'c 192.0.2.9'));
  assert.deepEqual(found?.added, ['c']);
  assert.deepEqual(found?.removed, []);
});

test('a connection of a swanctl.conf has the name that is written, whatever its children are called', () => {
  const text = (name: string) =>
    `connections { ${name} { local { auth = psk }\n remote { auth = psk }\n children { net { } } } }`;
  const load = (name: string) => loadSwanctl([{ path: 'swanctl.conf', text: text(name) }]).connections;
  assert.deepEqual(reread(load('a'), load('b'))[1], { added: ['b'], removed: ['a'], changed: [] });
});
