// What the metrics tell of a gateway on a network in memory: counters that go on over renewals and ends, silence that is
// seen, and nothing that is measured for nobody.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desk } from '../../../src/daemon/desk.ts';
import { ByConnection, Ledger } from '../../../src/daemon/ledger.ts';
import { Meter } from '../../../src/daemon/metrics/measure.ts';
import { RateMeter } from '../../../src/daemon/metrics/rates.ts';
import type { Reason } from '../../../src/ike/reason.ts';
import { ipv4, udp } from '../../esp/support.ts';
import { Network, NOTHING, within } from '../../security/gateways.ts';
import { connection } from '../../support/connections.ts';
import { parseMetrics, sampleOf } from '../../support/prometheus.ts';

const NONE = () => 0;
const COUNTERS = { version: '1.2.3', workers: 3, workerRestarts: () => 2, auditFailures: () => 5, logFailures: NONE };
const OUT = ipv4('10.1.0.7', '10.2.0.9', udp(1000, 2000));
const REQUESTED: Reason = { code: 'requested', text: 'closed on request', by: 'us' };

/** A meter at the left gateway, and one value of it at a time. */
function metered(network: Network) {
  const { gateway } = network.left;
  const meter = new Meter(gateway, new Desk(gateway, NOTHING), COUNTERS);
  const read = () => {
    // Within a second everybody gets the same.
    network.now += 1000;
    return parseMetrics(meter.text());
  };
  const value = (name: string, labels: Readonly<Record<string, string>> = {}) =>
    sampleOf(read(), `espalier_${name}`, labels);
  return { meter, read, value };
}

function act(network: Network, effects: Parameters<Network['left']['gateway']['run']>[0]): void {
  network.left.gateway.run(effects);
  network.net.settle();
}

test("a child's counters go on when its SA is renewed, and when it has gone, and end with its connection", () =>
  within(new Network(), (network) => {
    const { left } = network;
    const { endpoint } = left.gateway;
    const { meter, value } = metered(network);
    network.up();
    const state = () => endpoint.sessions().at(-1)?.state;
    const conn = state()?.conn ?? '';
    const sent = () => value('connection_send_pkt_total', { connection: conn, child: 'net' });
    const bytes = () => value('connection_send_bytes_total', { connection: conn, child: 'net', kind: 'plain' });
    network.carry(left, OUT);
    network.carry(left, OUT);
    assert.deepEqual([sent(), bytes()], [2, 2 * OUT.length]);
    act(network, endpoint.rekeyChild(network.now, state()?.children[0]?.id ?? 0));
    network.carry(left, OUT);
    assert.deepEqual([sent(), bytes()], [3, 3 * OUT.length], 'of both SAs');
    network.now += 10_000;
    act(network, endpoint.tick(network.now));
    assert.deepEqual([sent(), bytes()], [3, 3 * OUT.length], 'the old one is gone');
    assert.equal(value('rekeys_total', { connection: conn, kind: 'child' }), 1);
    act(network, endpoint.close(network.now, state()?.id ?? 0, REQUESTED));
    assert.deepEqual([sent(), bytes()], [3, 3 * OUT.length], 'all are gone');
    assert.equal(value('connection_sa_age_seconds', { connection: conn, child: 'net' }), undefined);
    assert.equal(value('gateway_send_pkt_total'), 3);
    left.gateway.change((connections) => connections.configure((configuration) => configuration.read([], [])));
    assert.equal(sent(), undefined);
    assert.equal(value('rekeys_total', { connection: conn, kind: 'child' }), undefined);
    assert.equal(value('gateway_send_pkt_total'), 3);
    meter.close();
  }));

test('a peer that falls silent is unknown, then dead, and what was repeated is counted', () =>
  within(new Network({ dpdDelay: 10_000 }), (network) => {
    const { left, net } = network;
    const { endpoint } = left.gateway;
    const { meter, value } = metered(network);
    network.up();
    const name = [...left.gateway.lives.keys()][0] ?? '';
    const of = { connection: name };
    assert.equal(value('connection_status', of), 1);
    net.filter = () => false;
    const tick = (by: number) => {
      network.now += by;
      act(network, endpoint.tick(network.now));
    };
    tick(11_000);
    assert.equal(value('connection_status', of), 1, 'a question is under way');
    tick(1500);
    assert.equal(value('connection_status', of), 2);
    for (let n = 0; n < 10; n++) tick(10_000);
    assert.equal(value('connection_status', of), 0);
    assert.equal(value('dpd_failures_total', of), 1);
    assert.equal(value('retransmissions_total', of), 4);
    assert.equal(value('handshake_failures_total', { ...of, reason: 'peer-dead' }), undefined);
    meter.close();
  }));

test('drops have their reasons, in all and by child', () =>
  within(new Network({}, { raw: true }), (network) => {
    const { left, right } = network;
    const { meter, value, read } = metered(network);
    network.up();
    const name = [...left.gateway.lives.keys()][0] ?? '';
    const flight = network.sealed(right, ipv4('10.2.0.9', '10.1.0.7', udp(1, 2)));
    assert.deepEqual([network.give(flight), network.give(flight)], [1, 0]);
    assert.equal(value('drops_total', { reason: 'replay' }), 1);
    assert.equal(value('connection_drops_total', { connection: name, child: 'net', reason: 'replay' }), 1);
    const reasons = read().flatMap((sample) =>
      sample.name === 'espalier_drops_total' ? [sample.labels.get('reason')] : [],
    );
    assert.ok(reasons.length > 15, 'also those that there were none of');
    meter.close();
  }));

test('what others count is passed on, and the text is made once a second', () =>
  within(new Network(), (network) => {
    const { meter, value } = metered(network);
    assert.equal(value('build_info', { version: '1.2.3', node: process.version }), 1);
    assert.deepEqual(
      [value('workers'), value('worker_restarts_total'), value('audit_failures_total'), value('log_failures_total')],
      [3, 2, 5, 0],
    );
    const text = meter.text();
    network.up();
    assert.equal(meter.text(), text);
    network.now += 1000;
    assert.notEqual(meter.text(), text);
    meter.close();
  }));

test('a meter that is closed leaves nothing behind', () =>
  within(new Network(), ({ left }) => {
    const { gateway } = left;
    const before = gateway.watchers.size;
    const meter = new Meter(gateway, new Desk(gateway, NOTHING), COUNTERS);
    meter.text();
    meter.close();
    assert.equal(gateway.watchers.size, before);
    assert.equal(gateway.forwarder.plane.ledger, undefined);
  }));

const AT_REST = { bytesIn: 0, packetsIn: 0, bytesOut: 0, packetsOut: 0, sealedIn: 0, sealedOut: 0 };

test('rates are over the last minute, or over the time since who comes less often came last', () => {
  const meter = new RateMeter();
  const at = (seconds: number, packets: number) =>
    meter.visit(seconds * 1000, { ...AT_REST, packetsOut: packets, bytesOut: 100 * packets });
  assert.equal(at(0, 0), undefined);
  assert.deepEqual(at(30, 300), { bitsIn: 0, bitsOut: 8000, packetsIn: 0, packetsOut: 10 });
  assert.equal(at(60, 300)?.packetsOut, 5, 'since 0 s');
  assert.equal(at(90, 900)?.packetsOut, 10, 'since 30 s');
  assert.equal(at(3690, 900 + 7200)?.packetsOut, 2, 'since 90 s');
  assert.equal(at(3690, 900 + 7200)?.packetsOut, 2);
});

test('names that come and go do not gather, also where nobody asks', () => {
  const live = new Set(['one']);
  const kept = new ByConnection<number>((conn) => live.has(conn));
  for (const conn of ['', 'one']) kept.of(conn, () => 7);
  let made = 0;
  for (let n = 0; n < 100_000; n++) kept.of(`gone ${n}`, () => ++made);
  kept.of('gone 0', () => ++made);
  assert.equal(made, 100_001, 'the first of them was forgotten');
  assert.deepEqual(kept.entries(), [
    ['', 7],
    ['one', 7],
  ]);
  const ledger = new Ledger((conn) => live.has(conn));
  const account = { child: 'net', traffic: { ...AT_REST, packetsIn: 1 }, drops: {} as never };
  for (const conn of ['one', 'gone', 'one']) ledger.close({ ...account, conn });
  assert.equal(ledger.total([{ ...account, conn: 'one' }]).packetsIn, 4);
  assert.deepEqual(
    ledger.children([{ ...account, conn: 'one' }]).map(({ conn, traffic }) => [conn, traffic.packetsIn]),
    [['one', 3]],
  );
});

test('a thousand connections are told of', (t) =>
  within(new Network(), (network) => {
    const { gateway } = network.left;
    const many = Array.from({ length: 1000 }, (_, n) => connection({ name: `conn "${n}"` }));
    gateway.change((connections) => connections.configure((configuration) => configuration.read(many, [])));
    const { meter } = metered(network);
    const begun = performance.now();
    const text = meter.text();
    t.diagnostic(`${text.length} bytes in ${Math.round(performance.now() - begun)} ms`);
    const samples = parseMetrics(text);
    assert.equal(samples.filter(({ name }) => name === 'espalier_connection_status').length, 1000);
    assert.equal(sampleOf(samples, 'espalier_connection_status', { connection: 'conn "999"' }), 0);
    meter.close();
  }));
