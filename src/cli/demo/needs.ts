// What the demonstration needs of this machine, and what to do where that is missing.

import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ENV } from './stage.ts';

/** What is missing, as lines to read; empty when the demonstration can begin. */
export function missing(uid = process.getuid?.()): readonly string[] {
  if (process.platform !== 'linux') return ['The demonstration needs Linux: network namespaces and TUN devices.'];
  if (uid !== 0) {
    return [
      'The demonstration makes two network namespaces and a TUN device in each: only root may do that.',
      'It touches nothing else on this machine. Run:  sudo npm start',
    ];
  }
  const lines: string[] = [];
  if (!existsSync('/dev/net/tun')) {
    lines.push(
      '/dev/net/tun is missing: the kernel must offer TUN devices. Run:  modprobe tun',
      'In a container, start it with:  --device /dev/net/tun --cap-add NET_ADMIN --cap-add SYS_ADMIN',
    );
  }
  const packages = [
    ['ip', 'iproute2'],
    ['ping', 'iputils-ping'],
  ].flatMap(([command = '', from = '']) => (onPath(command) ? [] : [from]));
  if (packages.length > 0) {
    lines.push(`Commands are missing. Run (Debian, Ubuntu):  apt-get install ${packages.join(' ')}`);
  }
  return lines;
}

function onPath(command: string): boolean {
  return ENV.PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}
