// `version` and `stats`: the daemon about itself, in charon's words.

import { machine, release, type } from 'node:os';
import type { Gateway } from '../status.ts';
import type { Command } from './channel.ts';
import { section } from './section.ts';
import { momentAgo, span } from './time.ts';
import type { Section } from './vici.ts';

export function stats(gateway: Gateway, version: string): readonly (readonly [string, Command])[] {
  return [
    ['version', () => about(version)],
    ['stats', () => loadOf(gateway)],
  ];
}

function about(version: string): Section {
  return section(
    ['daemon', 'espalier'],
    ['version', version],
    ['sysname', type()],
    ['release', release()],
    ['machine', machine()],
  );
}

/** What would be plugins there is built in here; the names are charon's where it has one. */
const PLUGINS = ['espalier', 'ikev1', 'ikev2', 'esp', 'ah', 'vici', 'counters'];

function loadOf(gateway: Gateway): Section {
  const { uptime, threads, queued, scheduled, sessions, halfOpen } = gateway.load();
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  return section(
    ['uptime', section(['running', span(uptime)], ['since', momentAgo(uptime)])],
    // Threads of the data plane are never idle in charon's sense: each has its work for life.
    ['workers', section(['total', threads], ['idle', 0], ['active', byPriority(threads, 0)])],
    ['queues', byPriority(0, queued)],
    ['scheduled', scheduled],
    ['ikesas', section(['total', sessions], ['half-open', halfOpen])],
    ['plugins', PLUGINS],
    [
      'mallinfo',
      section(
        ['sbrk', heapTotal],
        ['mmap', Math.max(0, rss - heapTotal)],
        ['used', heapUsed],
        ['free', heapTotal - heapUsed],
      ),
    ],
  );
}

function byPriority(critical: number, medium: number): Section {
  return section(['critical', critical], ['high', 0], ['medium', medium], ['low', 0]);
}
