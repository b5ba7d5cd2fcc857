// Gathers what the metrics show, when somebody asks.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Audit } from '../audit.ts';
import type { Desk } from '../desk.ts';
import type { Gateway } from '../gateway.ts';
import { exposition } from './families.ts';
import { Tallies } from './tallies.ts';

const RESOLUTION = 20;

/** The text of one visit. Watching costs little, and nothing at all when there is no server. */
export function measuring(gateway: Gateway, desk: Desk, audit: Audit, version: string): () => string {
  const tallies = new Tallies();
  gateway.watchers.add((event) => tallies.event(event));
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  return () => {
    const known = new Set(gateway.lives.keys());
    const { user, system } = process.cpuUsage();
    // The histogram has the whole time from one look to the next.
    const loopDelay = Math.max(0, delay.max / 1e6 - RESOLUTION) / 1000;
    delay.reset();
    return exposition({
      version,
      connections: desk.connections(),
      sessions: desk.sessions(),
      counted: desk.counted(),
      totals: gateway.forwarder.plane.totals(),
      failures: tallies.failures(known),
      rekeys: tallies.rekeys(known),
      process: {
        uptime: process.uptime(),
        residentBytes: process.memoryUsage.rss(),
        cpuSeconds: (user + system) / 1e6,
        loopDelay,
        auditFailures: audit.failures,
      },
    });
  };
}
