// A visit to the metrics of a daemon in a namespace.

import type { Space } from './netns.ts';
import { parseMetrics, type Sample } from './prometheus.ts';

export interface Visit {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const SCRIPT = `import http.client, json, sys
port, path, method = sys.argv[1:]
c = http.client.HTTPConnection('127.0.0.1', int(port), timeout=10)
c.request(method, path)
r = c.getresponse()
print(json.dumps({'status': r.status, 'type': r.getheader('content-type') or '', 'body': r.read().decode()}))`;

export async function visit(space: Space, port: string, path: string, method = 'GET'): Promise<Visit> {
  return JSON.parse(await space.must('python3', ['-c', SCRIPT, port, path, method])) as Visit;
}

/** All samples, read by the strict reader. */
export async function metricsOf(space: Space, port: string): Promise<readonly Sample[]> {
  const { status, type, body } = await visit(space, port, '/metrics');
  if (status !== 200 || type !== 'text/plain; version=0.0.4; charset=utf-8') throw new Error(`${status} ${type}`);
  return parseMetrics(body);
}
