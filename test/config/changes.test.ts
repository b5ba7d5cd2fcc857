// What another configuration changes, and that each key has its time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changes, difference } from '../../src/config/changes.ts';
import { loadSwanctl } from '../../src/config/swanctl.ts';
import type { Connection } from '../../src/ike/connection.ts';

function read(conn: string, child = '', name = 'gw'): Connection {
  const text = `connections { ${name} { ${conn}
    local { auth = psk }
    remote { auth = psk }
    children { net { ${child}
    } } } }`;
  const [found] = loadSwanctl([{ path: 'swanctl.conf', text }]).connections;
  assert.ok(found);
  return found;
}

test('the same words in other lines are the same configuration', () => {
  assert.equal(changes(read('\n\n\nremote_addrs = 192.0.2.1'), read('remote_addrs = 192.0.2.1')), undefined);
});

test('a default that is written is the same as one that is not', () => {
  assert.equal(changes(read('version = 0', 'mode = tunnel'), read('')), undefined);
});

for (const [conn, reconnect] of [
  ['version = 1', true],
  ['remote_addrs = 192.0.2.9', true],
  ['local_addrs = 192.0.2.9', true],
  ['proposals = aes128-sha256-modp2048', false],
  ['dpd_delay = 7s', false],
  ['reauth_time = 7h', false],
  ['keyingtries = 0', false],
  ['encap = yes', false],
] as const) {
  test(`${conn} is a change that ${reconnect ? 'ends the connection at once' : 'leaves what stands'}`, () => {
    const found = changes(read(''), read(conn));
    assert.equal(found?.reconnect, reconnect);
    assert.ok((found?.keys.length ?? 0) > 0);
  });
}

for (const [child, remake] of [
  ['local_ts = 10.1.0.0/16', true],
  ['remote_ts = 10.1.0.0/16', true],
  ['mode = transport', true],
  ['ah_proposals = sha256', true],
  ['sha256_96 = yes', true],
  ['esp_proposals = aes128-sha256', false],
  ['rekey_time = 2h', false],
  ['mss = 1200', false],
  ['start_action = start', false],
] as const) {
  test(`${child} is a change that ${remake ? 'makes the child anew' : 'leaves the child'}`, () => {
    const [found, ...more] = changes(read(''), read('', child))?.children ?? [];
    assert.deepEqual([found?.remake, more], [remake, []]);
  });
}

test('connections come, go, change and stay', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => read('', '', name));
  assert.ok(a && b && c);
  const changed = read('dpd_delay = 7s', '', 'b');
  const found = difference([a, b], [changed, c]);
  const names = (list: readonly Connection[]) => list.map(({ name }) => name).join();
  assert.deepEqual(
    [names(found.added), names(found.removed), names(found.changed.map(({ after }) => after)), names(found.same)],
    ['c', 'a', 'b', ''],
  );
});

test('a child that comes or goes is a change of its connection', () => {
  const one = read('');
  const more = one.children.map((child) => ({ ...child, name: 'more' }));
  const two = { ...one, children: [...one.children, ...more] };
  assert.deepEqual(
    changes(one, two)?.added.map(({ name }) => name),
    ['more'],
  );
  assert.deepEqual(
    changes(two, one)?.removed.map(({ name }) => name),
    ['more'],
  );
});
