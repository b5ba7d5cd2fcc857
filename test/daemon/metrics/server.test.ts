// The server of the metrics, against clients with and without manners.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type Limits, MetricsServer } from '../../../src/daemon/metrics/server.ts';

interface Made {
  readonly port: number;
  readonly visits: { count: number };
  readonly bugs: unknown[];
}

async function made(t: TestContext, limits?: Limits, write = () => 'x 1\n', alive = () => true): Promise<Made> {
  const visits = { count: 0 };
  const bugs: unknown[] = [];
  const text = () => {
    visits.count++;
    return write();
  };
  const server = await MetricsServer.listen(
    { host: '127.0.0.1', port: 0 },
    { write: text, alive, onBug: (error) => bugs.push(error) },
    limits,
  );
  t.after(() => server.close());
  return { port: server.port, visits, bugs };
}

function ask(port: number, path: string, method = 'GET'): Promise<{ status: number; type: string; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body });
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** What comes back until the other side closes. */
function closing(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {});
  return new Promise((resolve) => socket.once('close', () => resolve(text)));
}

function dial(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

test('/metrics and /healthz are there to be read, and nothing else is', async (t) => {
  const { port, visits } = await made(t);
  const metrics = { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: 'x 1\n' };
  assert.deepEqual(await ask(port, '/metrics'), metrics);
  assert.deepEqual(await ask(port, '/metrics?x=1'), metrics);
  assert.deepEqual(await ask(port, '/metrics', 'HEAD'), { ...metrics, body: '' });
  assert.deepEqual(await ask(port, '/healthz'), { status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' });
  const before = visits.count;
  for (const path of ['/', '/metrics/', '/../metrics', '/etc/passwd'])
    assert.equal((await ask(port, path)).status, 404);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    assert.equal((await ask(port, '/metrics', method)).status, 405, method);
  }
  assert.equal(visits.count, before);
});

test('/healthz says 503 while a thread of the data plane hangs', async (t) => {
  let alive = false;
  const { port } = await made(t, undefined, undefined, () => alive);
  const type = 'text/plain; charset=utf-8';
  assert.deepEqual(await ask(port, '/healthz'), { status: 503, type, body: 'a thread of the data plane hangs\n' });
  assert.equal((await ask(port, '/metrics')).status, 200);
  alive = true;
  assert.deepEqual(await ask(port, '/healthz'), { status: 200, type, body: 'ok\n' });
});

test('a bug in the gathering is told as such, and the next visit is another one', async (t) => {
  let broken = true;
  const write = () => {
    if (broken) throw new Error('broken');
    return 'x 2\n';
  };
  const { port, bugs } = await made(t, undefined, write);
  assert.deepEqual(await ask(port, '/metrics'), { status: 500, type: '', body: '' });
  assert.equal(bugs.length, 1);
  broken = false;
  assert.equal((await ask(port, '/metrics')).body, 'x 2\n');
});

test('what is no HTTP, or has too much of it, costs its own connection only', async (t) => {
  const { port } = await made(t);
  for (const bytes of [
    '\0\0\0\0\r\n\r\n',
    'GET\r\n\r\n',
    `GET /metrics HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
  ]) {
    const socket = await dial(t, port);
    const gone = closing(socket);
    socket.write(bytes);
    assert.equal((await gone).includes('x 1'), false, bytes.slice(0, 10));
  }
  assert.equal((await ask(port, '/metrics')).status, 200);
});

test('who does not finish a request, and who keeps a connection for nothing, is let go', async (t) => {
  const { port } = await made(t, { clients: 8, patience: 100 });
  const slow = await dial(t, port);
  const idle = await dial(t, port);
  const gone = [closing(slow), closing(idle)];
  slow.write('GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  idle.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
  const [nothing = '', answered = ''] = await Promise.all(gone);
  assert.equal(nothing.includes('x 1'), false);
  assert.match(answered, /x 1\n$/);
});

test('no more clients are served at a time than there may be', async (t) => {
  const { port } = await made(t, { clients: 4, patience: 60_000 });
  const sockets = await Promise.all([1, 2, 3, 4].map(() => dial(t, port)));
  // They are the server's when each of them has been answered.
  for (const socket of sockets) {
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
  }
  const fifth = connect(port, '127.0.0.1');
  fifth.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal(await closing(fifth), '');
  sockets[0]?.destroy();
  for (;;) {
    const answer = await ask(port, '/healthz').catch(() => undefined);
    if (answer) return assert.equal(answer.status, 200);
  }
});
