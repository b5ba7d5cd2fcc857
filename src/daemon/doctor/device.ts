// The TUN device: whether there is one, whether it opens, and what the kernel offers for it and for UDP.

import { accessSync, constants, statSync } from 'node:fs';
import { USE, USE_ALL } from '../../esp/layout.ts';
import { SystemError } from '../../net/error.ts';
import { openTun } from '../../net/tun.ts';
import { openGroup } from '../../net/udp.ts';
import { mayAdmin } from './capabilities.ts';
import { read } from './files.ts';
import { hasAddon } from './program.ts';
import type { Verdict } from './verdict.ts';

const DEVICE = '/dev/net/tun';
const NUMBER = [10, 200] as const;
const BASE = { code: 'tun', about: DEVICE } as const;
const MAKE = `mkdir -p /dev/net && mknod ${DEVICE} c ${NUMBER.join(' ')} && chmod 0666 ${DEVICE}`;
const IN_CONTAINER = 'in a container: start it with --device /dev/net/tun';

export function device(): Verdict[] {
  const file = there();
  if (file) return [file];
  if (!mayAdmin() || !hasAddon())
    return [{ ...BASE, health: 'ok', text: 'it is there; to open it needs CAP_NET_ADMIN' }];
  const opened = opens();
  return 'verdict' in opened ? [opened.verdict] : [{ ...BASE, health: 'ok', text: 'it opens' }, offers(opened.uses)];
}

/** What is wrong with the file. */
function there(): Verdict | undefined {
  const stat = statSync(DEVICE, { throwIfNoEntry: false });
  if (!stat) {
    const loaded = /^\s*200 tun$/m.test(read('/proc/misc') ?? '');
    const text = loaded
      ? `there is no ${DEVICE}, although the kernel has the driver`
      : `there is no ${DEVICE}, and no driver is loaded`;
    const command = loaded ? MAKE : 'modprobe tun';
    return { ...BASE, health: 'problem', text, command, advice: IN_CONTAINER };
  }
  const number = [(stat.rdev >> 8) & 0xfff, stat.rdev & 0xff];
  if (!stat.isCharacterDevice() || number.join() !== NUMBER.join()) {
    const text = `${DEVICE} is something else than the device 10, 200`;
    return { ...BASE, health: 'problem', text, command: `rm -r ${DEVICE} && ${MAKE}`, advice: IN_CONTAINER };
  }
  try {
    accessSync(DEVICE, constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    const text = `${DEVICE} may not be read and written by this user`;
    return { ...BASE, health: 'problem', text, command: `chmod 0666 ${DEVICE}` };
  }
}

/** A device of a name that is free, for a moment. */
function opens(): { readonly uses: number } | { readonly verdict: Verdict } {
  try {
    const tun = openTun('espd%d', { mtu: 1376, workers: 1, uses: USE_ALL });
    const { uses } = tun;
    tun.close();
    const group = openGroup(0, { workers: 1, uses });
    group.close();
    return { uses: group.uses };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return {
      verdict: { ...BASE, health: 'problem', text: `${DEVICE} does not open: ${error.message}`, advice: IN_CONTAINER },
    };
  }
}

const FACILITIES = [
  [USE.VNET, 'super-packets of TCP at the device'],
  [USE.USO, 'super-packets of UDP at the device'],
  [USE.GSO, 'UDP segmentation (GSO)'],
  [USE.GRO, 'UDP coalescing (GRO)'],
  [USE.MMSG, 'several messages a call'],
] as const;

function offers(uses: number): Verdict {
  const lacking = FACILITIES.filter(([bit]) => (uses & bit) === 0).map(([, name]) => name);
  const base = { code: 'offload', about: 'offload' } as const;
  if (lacking.length === 0)
    return { ...base, health: 'ok', text: 'the kernel has every facility that makes packets cheap' };
  const text = `the kernel lacks ${lacking.join(', ')}: everything works, only slower`;
  return { ...base, health: 'note', text, advice: 'Linux 6.2 has all of them' };
}
