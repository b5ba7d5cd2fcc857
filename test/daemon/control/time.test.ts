import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pointInTime, span } from '../../../src/daemon/control/time.ts';

test("a span is printed as strongSwan's %V does: in the largest unit of which there are more than two", () => {
  for (const [seconds, text] of [
    [0, '0 seconds'],
    [1, '1 second'],
    [1.9, '1 second'],
    [120, '120 seconds'],
    [121, '2 minutes'],
    [360, '6 minutes'],
    [3420, '57 minutes'],
    [7200, '120 minutes'],
    [7201, '2 hours'],
    [83_778, '23 hours'],
    [172_800, '48 hours'],
    [172_801, '2 days'],
    [-5, '0 seconds'],
  ] as const) {
    assert.equal(span(seconds), text);
  }
});

test('a point in time is printed in local time, with two digits for the day', () => {
  assert.equal(pointInTime(new Date(2020, 6, 30, 19, 13, 57)), 'Jul 30 19:13:57 2020');
  assert.equal(pointInTime(new Date(2024, 5, 7, 7, 0, 1)), 'Jun 07 07:00:01 2024');
});
