// A router as there are many: strongSwan with the ESP and AH of a Linux kernel, on a machine of its own (uml.ts) that
// stands where sites.ts has gwb. charon's control socket is on the inside, where hostb reaches it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Gateway, listSas } from './gateway.ts';
import { type Done, type Space, until } from './netns.ts';
import { INSIDE, router } from './router.ts';
import type { Sa } from './sas.ts';
import { B, type Sites } from './sites.ts';
import { type Guest, SHARED } from './uml.ts';

const VICI = `tcp://${INSIDE}:4502`;

/** What charon needs for IKE alone. */
const PLUGINS =
  'aes sha2 sha1 md5 random nonce openssl gmp curve25519 chapoly hmac kdf gcm ccm ctr cmac xcbc pem x509 pubkey ' +
  'kernel-netlink socket-default vici';

export interface KernelOptions {
  readonly conf: string;
}

export class Kernel implements Gateway {
  readonly kind = 'kernel';
  readonly space: Space;
  readonly guest: Guest;
  readonly #control: Space;
  readonly #settings: string;
  #conf: string;
  #serial = 0;

  private constructor(guest: Guest, control: Space, conf: string) {
    this.space = guest.space;
    this.guest = guest;
    this.#control = control;
    this.#settings = guest.write('strongswan.conf', settings());
    this.#conf = conf;
  }

  /** Boots the machine too. */
  static async start(sites: Sites, options: KernelOptions): Promise<Kernel> {
    const { hostb } = sites;
    const guest = await router(sites);
    // charon's and swanctl's small segments would wait for each other's acknowledgements.
    await hostb.ip('route', 'change', '10.2.0.0/24', 'dev', 'gwb', 'src', B.host, 'quickack', '1');
    await guest.must(`ip route change 10.2.0.0/24 dev hostb src ${INSIDE} quickack 1`);
    const gateway = new Kernel(guest, hostb, options.conf);
    await gateway.start();
    return gateway;
  }

  async start(conf = this.#conf): Promise<void> {
    await this.guest.must(`
      export STRONGSWAN_CONF=${this.#settings}
      setsid /usr/lib/ipsec/charon >charon.out 2>&1 </dev/null &`);
    await until('charon in the guest', async () => (await this.swanctl('--stats')).code === 0);
    await this.load(conf);
  }

  async load(conf: string): Promise<void> {
    this.#conf = conf;
    const name = `swanctl-${++this.#serial}.conf`;
    this.guest.write(name, conf);
    const done = await this.swanctl('--load-all', '--noprompt', '--file', join(this.guest.folder, name));
    if (done.code !== 0) throw new Error(`swanctl --load-all: ${done.stderr}${done.stdout}`);
  }

  /** Another configuration and no SA, as after a start, but sooner. */
  async renew(conf: string): Promise<void> {
    if ((await this.sas()).length === 0) return this.load(conf);
    await this.kill();
    await this.start(conf);
  }

  swanctl(...args: readonly string[]): Promise<Done> {
    const env = `STRONGSWAN_CONF=${join(this.guest.folder, 'strongswan.conf')}`;
    return this.#control.run('env', [env, 'swanctl', ...args, '--uri', VICI], { timeout: 60_000 });
  }

  sas(): Promise<readonly Sa[]> {
    return listSas(this);
  }

  async log(): Promise<string> {
    await this.guest.run('sync');
    return readFileSync(join(this.guest.folder, 'charon.log'), 'utf8');
  }

  async stop(): Promise<void> {
    await this.#end('TERM');
  }

  async kill(): Promise<void> {
    await this.#end('KILL');
    // A machine that is switched off has no SAs; charon leaves those it had in its kernel.
    await this.guest.must('ip xfrm state flush; ip xfrm policy flush; rm -f /run/charon.pid');
  }

  async #end(signal: 'TERM' | 'KILL'): Promise<void> {
    await this.guest.must(`
      pid=$(cat /run/charon.pid) || exit 0
      kill -${signal} $pid
      # Nobody waits for it, so that its number outlives it.
      while [ -e /proc/$pid/exe ]; do sleep 0.02; done`);
  }
}

function settings(): string {
  return `
charon {
  load_modular = no
  load = ${PLUGINS}
  threads = 16
  install_routes = yes
  # SHA2-256 cut to 96 bits has no number of its own.
  accept_private_algs = yes
  delete_rekeyed_delay = 1
  retransmit_timeout = 1
  retransmit_base = 1.5
  retransmit_tries = 4
  plugins {
    vici {
      socket = ${VICI}
    }
    socket-default {
      set_source = yes
    }
  }
  filelog {
    log {
      path = ${SHARED}/charon.log
      time_format = %H:%M:%S
      default = 1
      ike_name = yes
      flush_line = yes
    }
  }
}
swanctl {
  load = random
}
`;
}
