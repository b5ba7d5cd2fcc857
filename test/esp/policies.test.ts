// Traps and blocks: policies without an SA (RFC 4301 §4.4.1), and what they tell the control plane.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dropped, End, sent } from './end.ts';
import { child, ipv4, ipv6, selector, udp } from './support.ts';

const OUT = ipv4('10.1.0.1', '10.2.0.1', udp(5000, 53));
const LOCAL = [selector('10.1.0.0/16'), selector('fd00:1::/32')];
const REMOTE = [selector('10.2.0.0/16'), selector('fd00:2::/32')];

test('a packet that meets a trap is dropped and asks for an SA, once a second, with its addresses', () => {
  const end = new End();
  end.plane.trap(7, 'trap', LOCAL, REMOTE);
  const wish = { kind: 'acquire', policy: 7, source: '10.1.0.1', destination: '10.2.0.1' };
  assert.equal(dropped(end.outbound(OUT, 5000)), 'acquire');
  assert.deepEqual(end.events(), [wish]);
  for (let now = 5000; now < 6000; now += 100) assert.equal(dropped(end.outbound(OUT, now)), 'acquire');
  assert.deepEqual(end.events(), []);
  end.outbound(OUT, 6000);
  assert.deepEqual(end.events(), [wish]);
  end.outbound(ipv6('fd00:1::1', 'fd00:2::2', udp(1, 2)), 7000);
  assert.deepEqual(end.events(), [{ ...wish, source: 'fd00:1::1', destination: 'fd00:2::2' }]);
});

test('an SA goes before the trap that asked for it, and leaves it behind', () => {
  const end = new End();
  end.plane.trap(7, 'trap', LOCAL, REMOTE);
  end.install(child(1).left);
  assert.equal(sent(end.outbound(OUT, 0)).id, 1);
  end.plane.remove(1);
  assert.equal(dropped(end.outbound(OUT, 0)), 'acquire');
  end.plane.untrap(7);
  assert.equal(end.outbound(OUT, 0).tag, 'reject');
});

test('a block drops without a word and without a wish', () => {
  const end = new End();
  end.plane.trap(3, 'block', LOCAL, REMOTE);
  assert.equal(dropped(end.outbound(OUT, 0)), 'blocked');
  assert.deepEqual(end.events(), []);
  end.plane.untrap(3);
  assert.equal(end.outbound(OUT, 0).tag, 'reject');
});

test('a policy under a number that is taken replaces the other one', () => {
  const end = new End();
  end.plane.trap(3, 'trap', LOCAL, REMOTE);
  end.plane.trap(3, 'block', LOCAL, [selector('10.3.0.0/16')]);
  assert.equal(end.outbound(OUT, 0).tag, 'reject');
  assert.equal(dropped(end.outbound(ipv4('10.1.0.1', '10.3.0.1', udp(1, 2)), 0)), 'blocked');
});
