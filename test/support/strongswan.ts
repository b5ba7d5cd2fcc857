// Debian's charon with its ESP in user space (kernel-libipsec), in a namespace, with everything it writes in a
// directory of its own. charon's pid file is compiled in as /run/charon.pid: each instance gets a mount namespace. It is
// configured by a swanctl.conf, or by an ipsec.conf, which its starter reads.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Gateway, listening, listSas, swanctl } from './gateway.ts';
import { type Done, type Space, type Topology, until } from './netns.ts';
import type { Sa } from './sas.ts';

const CHARON = '/usr/lib/ipsec/charon';
export const STROKE = '/usr/lib/ipsec/stroke';
const STARTER = '/usr/lib/ipsec/starter';
export const PLUGINS =
  'aes sha2 sha1 md5 random nonce openssl gmp curve25519 chapoly hmac kdf gcm ccm cmac xcbc pem x509 pubkey ' +
  'kernel-libipsec kernel-netlink socket-default vici stroke counters';

export interface StrongSwanOptions {
  readonly conf: string;
  /** An ipsec.secrets: then `conf` is an ipsec.conf. */
  readonly secrets?: string;
  readonly plugins?: string;
  /** Further lines of the `charon` section of strongswan.conf. */
  readonly charon?: string;
}

export class StrongSwan implements Gateway {
  readonly kind = 'strongswan';
  readonly space: Space;
  readonly #folder: string;
  readonly #secrets: string | undefined;
  #conf: string;
  #charon: ChildProcess | undefined;

  private constructor(space: Space, folder: string, options: StrongSwanOptions) {
    this.space = space;
    this.#folder = folder;
    this.#secrets = options.secrets;
    this.#conf = options.conf;
    mkdirSync(join(folder, 'run'));
    writeFileSync(join(folder, 'strongswan.conf'), settings(folder, options));
  }

  static async start(topology: Topology, space: Space, options: StrongSwanOptions): Promise<StrongSwan> {
    const gateway = new StrongSwan(space, topology.folder(), options);
    topology.defer(() => gateway.stop());
    await gateway.start();
    return gateway;
  }

  async start(conf = this.#conf): Promise<void> {
    this.#conf = conf;
    rmSync(this.#socket, { force: true });
    rmSync(join(this.#folder, 'run', 'charon.pid'), { force: true });
    const out = openSync(join(this.#folder, 'out.log'), 'a');
    const charon = this.space.spawn(
      'unshare',
      ['-m', 'sh', '-c', `mount --bind "$0/run" /run && exec ${this.#command()}`, this.#folder],
      {
        stdio: ['ignore', out, out],
        env: { ...process.env, STRONGSWAN_CONF: join(this.#folder, 'strongswan.conf') },
      },
    );
    closeSync(out);
    this.#charon = charon;
    const ended = () => (charon.exitCode === null ? undefined : `charon ended: ${this.#read('out.log')}`);
    await listening(this.#socket, ended);
    if (this.#secrets === undefined) await this.load(conf);
    else await until('its starter has read the ipsec.conf', async () => (await this.swanctl('--list-conns')).stdout);
  }

  #command(): string {
    if (this.#secrets === undefined) return CHARON;
    const [conf, secrets] = ['ipsec.conf', 'ipsec.secrets'].map((name) => join(this.#folder, name)) as [string, string];
    writeFileSync(conf, this.#conf);
    writeFileSync(secrets, this.#secrets, { mode: 0o600 });
    return `${STARTER} --nofork --conf "$0/ipsec.conf"`;
  }

  async load(conf: string): Promise<void> {
    this.#conf = conf;
    const file = join(this.#folder, 'swanctl.conf');
    writeFileSync(file, conf);
    const done = await this.swanctl('--load-all', '--noprompt', '--file', file);
    if (done.code !== 0) throw new Error(`swanctl --load-all: ${done.stderr}${done.stdout}`);
  }

  swanctl(...args: readonly string[]): Promise<Done> {
    return swanctl(this.#socket, args, [`STRONGSWAN_CONF=${join(this.#folder, 'strongswan.conf')}`]);
  }

  /** What its old command line prints, where that is installed. */
  async statusall(): Promise<string> {
    const done = await this.space.run('nsenter', ['-t', `${this.pid}`, '-m', STROKE, 'statusall']);
    if (done.code !== 0) throw new Error(`stroke statusall: ${done.stderr}${done.stdout}`);
    return done.stdout;
  }

  sas(): Promise<readonly Sa[]> {
    return listSas(this);
  }

  async log(): Promise<string> {
    return this.#read('charon.log');
  }

  get control(): string {
    return `unix://${this.#socket}`;
  }

  get pid(): number | undefined {
    return this.#charon?.pid;
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const charon = this.#charon;
    this.#charon = undefined;
    if (!charon || charon.exitCode !== null || charon.signalCode !== null) return;
    const gone = once(charon, 'exit');
    charon.kill(signal);
    // A charon that waits for an answer to its DELETE takes its time; the test does not.
    const impatience = setTimeout(() => charon.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(impatience);
    await this.#forgetTun();
  }

  /** After a SIGKILL the kernel needs a moment to take the TUN device away: the next charon wants its name. */
  async #forgetTun(): Promise<void> {
    await this.space.run('ip', ['link', 'delete', 'ipsec0']);
  }

  get #socket(): string {
    return join(this.#folder, 'charon.vici');
  }

  #read(name: string): string {
    const file = join(this.#folder, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
}

function settings(folder: string, options: StrongSwanOptions): string {
  return `
charon {
  load_modular = no
  load = ${options.plugins ?? PLUGINS}
  threads = 16
  install_routes = yes
  delete_rekeyed_delay = 1
  # Its name says what it is for; there is no other way to test the mode.
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  retransmit_timeout = 1
  retransmit_base = 1.5
  retransmit_tries = 4
  ${options.charon ?? ''}
  plugins {
    vici {
      socket = unix://${folder}/charon.vici
    }
    kernel-libipsec {
      load = yes
    }
    # It has no secrets from the host, and its own only with an ipsec.conf.
    stroke {
      secrets_file = ${folder}/ipsec.secrets
    }
    socket-default {
      set_source = yes
    }
  }
  filelog {
    log {
      path = ${folder}/charon.log
      time_format = %H:%M:%S
      default = 1
      ike_name = yes
      flush_line = yes
    }
  }
}
swanctl {
  load = pem pkcs1 x509 revocation constraints pubkey openssl random
}
`;
}
