// The reference pump: a program in C that does nothing but move and encrypt, between two addresses that it is given. It is
// not part of this project; its source is looked for in the folder that `--pump` names.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, type Space, until } from '../../test/support/netns.ts';
import { A, B } from '../../test/support/sites.ts';
import { MTU, pidOf, type Start } from './tunnel.ts';

export type Cipher = 'aes' | 'vaes' | 'chacha';

const DEV = 'pump0';
/** Every offload, sixteen packets at a time, one thread with poll(). */
const FULL = ['-O', '-S', '-G', '-B', '16', '-T', '1'];

export async function buildPump(folder: string, lab: string): Promise<string> {
  const source = join(lab, 'pump', 'pump.c');
  if (!existsSync(source)) throw new Error(`--pump: there is no ${source}`);
  const program = join(folder, 'pump');
  await must('gcc', ['-O3', '-march=native', '-w', '-o', program, source, '-lcrypto', '-lpthread']);
  return program;
}

export function hasVaes(): boolean {
  return / vaes\b.* vpclmulqdq\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
}

export function pump(cipher: Cipher): Start {
  return async ({ gwa, gwb, pump: program }) => {
    if (program === undefined) throw new Error('no --pump was given');
    const start = async (space: Space, local: string, remote: string, net: string) => {
      const args = ['-d', DEV, '-l', local, '-r', remote, ...FULL, '-c', cipher];
      const daemon = space.spawn(program, args, { stdio: 'ignore' });
      await until('the pump has its TUN device', async () => {
        const { code } = await space.run('ip', ['link', 'show', DEV]);
        return code === 0 ? true : undefined;
      });
      await space.ip('link', 'set', DEV, 'mtu', `${MTU}`, 'up', 'txqueuelen', '500');
      await space.ip('route', 'replace', net, 'dev', DEV, 'mtu', `${MTU}`);
      return pidOf(daemon);
    };
    return {
      pids: [await start(gwa, A.outside, B.outside, B.net), await start(gwb, B.outside, A.outside, A.net)],
    };
  };
}
