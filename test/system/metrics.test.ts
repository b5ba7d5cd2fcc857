// /metrics of a daemon with a tunnel, read by a strict reader.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Espalier } from '../support/espalier.ts';
import { AT_A, AT_B, conf, SECRET } from '../support/gateways.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { type Sample, sampleOf } from '../support/prometheus.ts';
import { B, inSites } from '../support/sites.ts';
import { metricsOf, visit } from '../support/visit.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier');
const PORT = '9100';
/** SPI, sequence number and IV, 84 bytes with a trailer to a multiple of 4, and the ICV of AES-GCM. */
const PING_IN_ESP = 8 + 8 + 88 + 16;

test(
  'metrics tell of connections, traffic, renewals, failures and drops, and of nothing secret',
  {
    skip,
  },
  () =>
    inSites(async ({ topology, gwa, gwb, hosta }) => {
      const odd = `odd {
    remote_addrs = ${B.outside}
    proposals = aes128-sha256-ecp521
    local { auth = psk }
    remote { auth = psk }
    children { other { remote_ts = 10.99.0.0/24 } }
  }`;
      const a = await Espalier.start(topology, gwa, {
        conf: conf(AT_A, { anywhere: true, connections: odd }),
        args: ['--metrics', PORT],
      });
      await Espalier.start(topology, gwb, {
        conf: conf(AT_B, { anywhere: true, conn: ['proposals = aes256-sha384-ecp384'] }),
      });
      const read = () => metricsOf(gwa, PORT);
      const before = await read();
      assert.equal(sampleOf(before, 'espalier_gateway_connection_num', { state: 'configured' }), 2);
      assert.equal(sampleOf(before, 'espalier_gateway_connection_num', { state: 'connected' }), 0);
      assert.equal(sampleOf(before, 'espalier_connection_status', { connection: 'gw' }), 0);

      assert.equal((await a.cli('up', 'gw')).code, 0);
      assert.ok(await hosta.ping(B.host, { count: 5 }));
      await a.cli('rekey', 'gw/net');
      await until('a renewal', async () => sampleOf(await read(), 'espalier_rekeys_total', { kind: 'child' }) === 1);
      assert.equal((await a.cli('up', 'odd')).code, 1);
      const failures = (samples: readonly Sample[]) =>
        sampleOf(samples, 'espalier_handshake_failures_total', { connection: 'odd', reason: 'no-proposal' });
      // What is read is as it was a second ago at the most.
      const after = await until('the failure', async () => {
        const samples = await read();
        return failures(samples) === 1 ? samples : undefined;
      });
      assert.equal(sampleOf(after, 'espalier_connection_status', { connection: 'gw' }), 1);
      assert.equal(sampleOf(after, 'espalier_connection_state', { connection: 'gw', state: 'connected' }), 1);
      assert.equal(sampleOf(after, 'espalier_gateway_send_pkt_total'), 5, 'also of the SA that was renewed');
      assert.equal(sampleOf(after, 'espalier_gateway_recv_bytes_total', { kind: 'plain' }), 5 * 84);
      assert.equal(sampleOf(after, 'espalier_gateway_recv_bytes_total', { kind: 'encrypted' }), 5 * PING_IN_ESP);
      const net = { connection: 'gw', child: 'net' };
      assert.equal(sampleOf(after, 'espalier_connection_send_bytes_total', { ...net, kind: 'plain' }), 5 * 84);
      assert.equal(
        sampleOf(after, 'espalier_connection_send_bytes_total', { ...net, kind: 'encrypted' }),
        5 * PING_IN_ESP,
      );
      assert.equal(sampleOf(after, 'espalier_connection_recv_pkt_total', net), 5);
      assert.ok((sampleOf(after, 'espalier_connection_established_seconds', { connection: 'gw' }) ?? -1) >= 0);
      assert.equal(sampleOf(after, 'espalier_worker_restarts_total'), 0);
      assert.equal(sampleOf(after, 'espalier_gateway_half_open'), 0);
      assert.equal(sampleOf(after, 'espalier_drops_total', { reason: 'replay' }) ?? 0, 0);
      assert.ok((sampleOf(after, 'espalier_resident_memory_bytes') ?? 0) > 1e6);

      a.rewrite(conf(AT_A, { anywhere: true }));
      await a.json('reload');
      await until('what is configured no more is gone', async () => failures(await read()) === undefined);
      assert.equal((await visit(gwa, PORT, '/healthz')).body, 'ok\n');
      assert.equal((await visit(gwa, PORT, '/elsewhere')).status, 404);
      assert.equal((await visit(gwa, PORT, '/metrics', 'POST')).status, 405);

      const audit = readFileSync(join(a.state, 'audit.jsonl'), 'utf8');
      const deeds = audit
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      assert.deepEqual(
        deeds.map(({ action, outcome }) => [action, outcome]),
        [
          ['startGateway', 'done'],
          ['initiateConnection', 'begun'],
          ['initiateConnection', 'done'],
          ['rekeyConnection', 'done'],
          ['initiateConnection', 'begun'],
          ['initiateConnection', 'failed'],
          ['deleteConnection', 'done'],
          ['reloadConfiguration', 'done'],
        ],
      );
      assert.ok(!audit.includes(SECRET) && !(await visit(gwa, PORT, '/metrics')).body.includes(SECRET));
    }),
);

test('an address for metrics that is taken is told, and the gateway runs all the same', { skip }, () =>
  inSites(async ({ topology, gwa }) => {
    gwa.spawn('python3', ['-m', 'http.server', PORT, '--bind', '127.0.0.1'], { stdio: 'ignore' });
    await until('the port is taken', async () => (await gwa.run('ss', ['-Hltn', `sport = :${PORT}`])).stdout !== '');
    const a = await Espalier.start(topology, gwa, { conf: conf(AT_A, { anywhere: true }), args: ['--metrics', PORT] });
    await a.line('no metrics', ({ event }) => event === 'no-metrics');
    assert.equal((await a.cli('status')).code, 0);
  }),
);
