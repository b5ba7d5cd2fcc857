// /metrics of a daemon with a tunnel, read by a strict reader.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Espalier } from '../support/espalier.ts';
import { lacking, NETWORK } from '../support/needs.ts';
import { until } from '../support/netns.ts';
import { parseMetrics, sampleOf } from '../support/prometheus.ts';
import { A, B, sites } from '../support/sites.ts';

const skip = lacking(...NETWORK, 'tun', 'espalier');
const PORT = '9100';
const SECRET = 'a secret that nobody may read here';

function conf([ours, theirs]: readonly [typeof A | typeof B, typeof A | typeof B], more = ''): string {
  return `connections {
  gw {
    remote_addrs = ${theirs.outside}
    local { auth = psk }
    remote { auth = psk }
    children {
      net {
        local_ts = ${ours.net}
        remote_ts = ${theirs.net}
      }
    }
  }
  ${more}
}
secrets {
  ike {
    secret = "${SECRET}"
  }
}
`;
}

test('metrics tell of connections, traffic, renewals, failures and drops, and of nothing secret', {
  skip,
}, async () => {
  const { topology, gwa, gwb, hosta } = await sites();
  try {
    const odd = `odd {
    remote_addrs = ${B.outside}
    proposals = aes128-sha256-ecp521
    local { auth = psk }
    remote { auth = psk }
    children { other { remote_ts = 10.99.0.0/24 } }
  }`;
    const a = await Espalier.start(topology, gwa, { conf: conf([A, B], odd), args: ['--metrics', PORT] });
    await Espalier.start(topology, gwb, {
      conf: conf([B, A]).replace('local { auth', 'proposals = aes256-sha384-ecp384\n    local { auth'),
    });
    const get = (path: string, method = 'GET') =>
      gwa.must('python3', [
        '-c',
        `import http.client, sys
c = http.client.HTTPConnection('127.0.0.1', ${PORT}, timeout=10)
c.request('${method}', '${path}')
r = c.getresponse()
sys.stdout.write(str(r.status) + ' ' + (r.getheader('content-type') or '') + '\\n' + r.read().decode())`,
      ]);
    const read = async () => {
      const [head = '', ...body] = (await get('/metrics')).split('\n');
      assert.equal(head, '200 text/plain; version=0.0.4; charset=utf-8');
      return parseMetrics(body.join('\n'));
    };
    const before = await read();
    assert.equal(sampleOf(before, 'espalier_gateway_connection_num', { state: 'configured' }), 2);
    assert.equal(sampleOf(before, 'espalier_gateway_connection_num', { state: 'connected' }), 0);
    assert.equal(sampleOf(before, 'espalier_connection_status', { connection: 'gw' }), 0);

    assert.equal((await a.cli('up', 'gw')).code, 0);
    assert.ok(await hosta.ping(B.host, { count: 5 }));
    await a.cli('rekey', 'gw/net');
    await until('a renewal', async () => sampleOf(await read(), 'espalier_rekeys_total', { kind: 'child' }) === 1);
    assert.equal((await a.cli('up', 'odd')).code, 1);
    const after = await read();
    assert.equal(sampleOf(after, 'espalier_connection_status', { connection: 'gw' }), 1);
    assert.equal(sampleOf(after, 'espalier_connection_state', { connection: 'gw', state: 'connected' }), 1);
    assert.equal(sampleOf(after, 'espalier_gateway_send_pkt_total'), 5, 'also of the SA that was renewed');
    assert.equal(sampleOf(after, 'espalier_gateway_recv_bytes_total', { kind: 'plain' }), 5 * 84);
    assert.equal(sampleOf(after, 'espalier_handshake_failures_total', { connection: 'odd', reason: 'no-proposal' }), 1);
    assert.equal(sampleOf(after, 'espalier_drops_total', { reason: 'replay' }) ?? 0, 0);
    assert.ok((sampleOf(after, 'espalier_resident_memory_bytes') ?? 0) > 1e6);

    a.rewrite(conf([A, B]));
    await a.json('reload');
    const left = await read();
    assert.equal(sampleOf(left, 'espalier_handshake_failures_total', { connection: 'odd' }), undefined);
    assert.equal((await get('/healthz')).split('\n')[1], 'ok');
    assert.match(await get('/elsewhere'), /^404/);
    assert.match(await get('/metrics', 'POST'), /^405/);

    const audit = readFileSync(join(a.folder, 'state', 'audit.jsonl'), 'utf8');
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
    assert.ok(!audit.includes(SECRET) && !(await get('/metrics')).includes(SECRET));
  } finally {
    await topology.dispose();
  }
});

test('an address for metrics that is taken is told, and the gateway runs all the same', { skip }, async () => {
  const { topology, gwa } = await sites();
  try {
    gwa.spawn('python3', ['-m', 'http.server', PORT, '--bind', '127.0.0.1'], { stdio: 'ignore' });
    await until('the port is taken', async () => (await gwa.run('ss', ['-Hltn', `sport = :${PORT}`])).stdout !== '');
    const a = await Espalier.start(topology, gwa, { conf: conf([A, B]), args: ['--metrics', PORT] });
    await a.line('no metrics', ({ event }) => event === 'no-metrics');
    assert.equal((await a.cli('status')).code, 0);
  } finally {
    await topology.dispose();
  }
});
