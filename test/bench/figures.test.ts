// What the bench reads out of the reports of other programs and of /proc, and the arithmetic it does with that.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGoodput, parseInterval } from '../../bench/path/iperf.ts';
import { parseEchoes } from '../../bench/path/ping.ts';
import { familyTime, parseMachine, parseTimes } from '../../bench/path/proc.ts';
import { counting, dip, highestRate, percentile, ratios } from '../../bench/path/stats.ts';
import { parseTally } from '../../bench/path/udp.ts';

const sum = (bytes: number, more: object = {}) => ({ bytes, bits_per_second: bytes * 8, ...more });

test('goodput is what the receiver got, the bytes are those of the omitted second too', () => {
  const report = {
    intervals: [{ sum: sum(500, { omitted: true }) }, { sum: sum(2_000_000) }, { sum: sum(1_000_000) }],
    end: { sum_sent: sum(3_100_000, { retransmits: 7 }), sum_received: sum(3_000_000) },
  };
  assert.deepEqual(parseGoodput(JSON.stringify(report)), { mbps: 24, bytes: 3_000_500, retransmits: 7 });
});

test('both directions at once are added up', () => {
  const report = {
    intervals: [{ sum: sum(100), sum_bidir_reverse: sum(200) }],
    end: {
      ...{ sum_sent: sum(1, { retransmits: 1 }), sum_received: sum(1_000_000) },
      ...{ sum_sent_bidir_reverse: sum(1, { retransmits: 2 }), sum_received_bidir_reverse: sum(2_000_000) },
    },
  };
  assert.deepEqual(parseGoodput(JSON.stringify(report)), { mbps: 24, bytes: 300, retransmits: 3 });
});

test('an iperf3 that failed says why', () => {
  assert.throws(() => parseGoodput('{"error": "the server is busy"}'), /the server is busy/);
  assert.throws(() => parseGoodput(''), /no report/);
  assert.throws(() => parseGoodput('{"end": {}}'), /unfinished/);
});

test('a running stream is read line by line, without the totals', () => {
  assert.deepEqual(parseInterval('[  5]   0.20-0.30   sec  5.12 MBytes   430 Mbits/sec                  '), {
    ...{ from: 0.2, to: 0.3, mbps: 430 },
  });
  assert.deepEqual(parseInterval('[  5]  12.00-12.10  sec  51.2 MBytes  4290 Mbits/sec    0   1.2 MBytes'), {
    ...{ from: 12, to: 12.1, mbps: 4290 },
  });
  assert.equal(parseInterval('[  5]   0.00-3.00   sec  1.2 GBytes  430 Mbits/sec    0    sender'), undefined);
  assert.equal(parseInterval('[ ID] Interval           Transfer     Bitrate'), undefined);
});

test('echoes are counted once, and those that are missing are lost', () => {
  const text = [
    '180 bytes from 10.2.0.2: icmp_seq=1 ttl=62 time=0.100 ms',
    '180 bytes from 10.2.0.2: icmp_seq=2 ttl=62 time=0.300 ms',
    '180 bytes from 10.2.0.2: icmp_seq=2 ttl=62 time=9.00 ms (DUP!)',
    '180 bytes from 10.2.0.2: icmp_seq=4 ttl=62 time=0.200 ms',
  ].join('\n');
  assert.deepEqual(parseEchoes(text, 4), { p50: 0.2, p99: 0.3, max: 0.3, lost: 1 });
  assert.throws(() => parseEchoes('', 4), /no echo/);
});

test('the loss of a UDP probe is what did not arrive of what was sent', () => {
  assert.deepEqual(parseTally('tx 1000 2.0000\n', 'rx 900 3'), {
    ...{ sent: 1000, received: 900, late: 3, offered: 500, delivered: 450, loss: 1 - 0.9 },
  });
  assert.throws(() => parseTally('tx 1000 2.0000', 'ready'), /no count/);
});

test('CPU times of a process are read past any name', () => {
  const fields = ['S', 7, 1, 1, 0, -1, 0, 0, 0, 0, 0, 150, 50, 30, 20, 20, 0];
  assert.deepEqual(parseTimes(`42 (a) (b c) ${fields.join(' ')}`), { pid: 42, parent: 7, own: 2, reaped: 0.5 });
});

test('the machine is busy but for idle time, waiting and what was stolen', () => {
  assert.deepEqual(parseMachine('cpu  100 200 300 9000 800 10 20 500 0 0\ncpu0 1 2 3\n'), { busy: 6.3, stolen: 5 });
});

test('a family is a process, its descendants living and ended, and the threads of the kernel', () => {
  const all = [
    { pid: 1, parent: 0, own: 100, reaped: 100 },
    { pid: 2, parent: 0, own: 1000, reaped: 0 },
    { pid: 3, parent: 2, own: 1, reaped: 0 },
    { pid: 10, parent: 1, own: 2, reaped: 4 },
    { pid: 11, parent: 10, own: 8, reaped: 16 },
    { pid: 12, parent: 11, own: 32, reaped: 0 },
    { pid: 13, parent: 1, own: 500, reaped: 0 },
  ];
  assert.equal(familyTime(all, 10), 1 + 2 + 4 + 8 + 16 + 32);
});

test('a percentile is a value that was measured', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(percentile(values, 50), 50);
  assert.equal(percentile(values, 99), 99);
  assert.equal(percentile([3], 99), 3);
});

test('the search finds the highest rate that a path carries without loss', async () => {
  const limit = 73_000;
  const path = async (rate: number) => {
    const delivered = Math.min(rate, limit);
    return { offered: rate, delivered, loss: 1 - delivered / rate };
  };
  const options = { loss: 0.01, probes: 20, exactness: 0.01 };
  for (const first of [40_000, 73_000, 500_000]) {
    const found = await highestRate(first, path, options);
    assert.ok(found > 0.98 * limit && found <= 1.02 * limit, `${found} from ${first}`);
  }
});

test('the search forgives one unlucky probe, and ends where the sender does', async () => {
  let probes = 0;
  const path = async (rate: number) => {
    const offered = Math.min(rate, 1200);
    return { offered, delivered: offered, loss: probes++ === 0 ? 0.5 : 0 };
  };
  assert.equal(await highestRate(1000, path, { loss: 0.01, probes: 20, exactness: 0.01 }), 1200);
  assert.ok(probes <= 4, `${probes} probes`);
});

const figure = (round: number, value: number, foreign = 0) => ({ round, value, foreign });

test('noisy rounds count only where fewer than two are quiet', () => {
  const [a, b, loud] = [figure(1, 10), figure(2, 12), figure(3, 99, 0.5)];
  assert.deepEqual(counting([a, loud, b]), [a, b]);
  assert.deepEqual(counting([a, loud]), [a, loud]);
});

test('ratios are taken within a round', () => {
  assert.deepEqual(ratios([figure(1, 10), figure(2, 40), figure(3, 5)], [figure(2, 20), figure(1, 5)]), [2, 2]);
  const noise = [figure(1, 10), figure(2, 40, 0.9), figure(3, 30)];
  assert.deepEqual(ratios(noise, [figure(1, 5), figure(2, 1), figure(3, 10)]), [2, 3]);
  assert.deepEqual(ratios([figure(1, 10)], [figure(1, 0)]), []);
});

test('a dip is seen beside the second before the disturbance', () => {
  const parts = Array.from({ length: 40 }, (_, i) => {
    const at = i / 10;
    // A disturbance at 1 and one at 3: two low parts after each.
    const low = i === 11 || i === 31 ? 50 : i === 12 || i === 32 ? 75 : 100;
    return { from: at, to: at + 0.1, mbps: low };
  });
  const seen = dip(parts, [1, 3], 0.3);
  assert.equal(seen.lowest, 50);
  assert.equal(seen.usual, 100);
  assert.ok(Math.abs(seen.mean - 7.5) < 1e-9, `${seen.mean}`);
});
