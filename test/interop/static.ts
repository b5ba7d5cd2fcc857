// Two sites whose gateways have SAs that nobody negotiates: at a our data plane alone, at b a kernel.

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ANSWER, Echo } from '../support/echo.ts';
import { router } from '../support/router.ts';
import { A, B, type Sites, sites } from '../support/sites.ts';
import { type StaticChild, staticChild } from '../support/static.ts';
import type { Order } from '../support/staticmain.ts';
import type { Guest } from '../support/uml.ts';
import { XFRM_FLUSH, xfrmPeer } from '../support/xfrm.ts';

const FAULTS = 'cat /proc/net/xfrm_stat';
const MAIN = join(import.meta.dirname, '../support/staticmain.js');

const SIZES = [...Array(70).keys(), 1199, 1250, 1300];
/** What is in fragments before or after. */
const LARGE = [1371, 1400, 1410, 1471, 1472, 1473, 2000, 5000, 20_001];
const STREAMS = [1, 1399, 65_537, 1_000_003];

export class StaticRig {
  readonly #net: Sites;
  readonly #guest: Guest;
  readonly #plane: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #inner: Echo;
  readonly #outer: Echo;
  #id = 0;
  #stderr = '';

  private constructor(net: Sites, guest: Guest, plane: ChildProcess, inner: Echo) {
    this.#net = net;
    this.#guest = guest;
    this.#plane = plane;
    if (!plane.stdout) throw new Error('no pipe');
    this.#answers = createInterface(plane.stdout)[Symbol.asyncIterator]();
    plane.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    this.#inner = inner;
    this.#outer = new Echo(net.gwa);
  }

  static async boot(): Promise<StaticRig> {
    const net = await sites({ guest: true, hop: true });
    try {
      const guest = await router(net);
      await guest.must(`
        ip route add ${A.net} via ${A.outside}
        ip route add ${A.net6} via ${A.outside6}
        setsid ${ANSWER.join(' ')} >answer.out 2>&1 </dev/null &`);
      await net.gwa.sysctl({ 'net.ipv4.icmp_ratelimit': 0, 'net.ipv6.icmp.ratelimit': 0 });
      const plane = net.gwa.spawn(process.execPath, [MAIN], { stdio: ['pipe', 'pipe', 'pipe'] });
      const rig = new StaticRig(net, guest, plane, await Echo.between(net.hosta, net.hostb));
      await rig.#answer();
      return rig;
    } catch (error) {
      await net.topology.dispose();
      throw error;
    }
  }

  /** Installs the child at both ends, has data of all kinds and sizes come back, and takes it away. */
  async carries(child: StaticChild): Promise<void> {
    const id = ++this.#id;
    await Promise.all([
      this.#guest.must(`${xfrmPeer(staticChild(id, child), child.first)}\n${FAULTS} >faults`),
      this.#order({ op: 'install', id, child }),
      this.#forget(),
    ]);
    try {
      await this.#echo(child);
      this.#judge(child, await this.#guest.must(`${FAULTS} | diff faults -\nip xfrm state`));
    } catch (error) {
      const { stdout } = await this.#guest.run(`ip -s xfrm state; ${FAULTS}`);
      throw new Error(`${error instanceof Error ? error.message : error}\n${this.#stderr}\n${stdout}`);
    } finally {
      await Promise.all([this.#order({ op: 'remove', id }), this.#guest.must(XFRM_FLUSH)]);
    }
  }

  /** Where sequence numbers began below 2^32, both directions have gone beyond. */
  #judge({ esn }: StaticChild, states: string): void {
    const [sent, received] = ['oseq-hi 0x1,', ' seq-hi 0x1,'].map((high) => states.split(high).length - 1);
    if (esn) assert.deepEqual({ sent, received }, { sent: 1, received: 1 }, states);
  }

  dispose(): Promise<void> {
    this.#plane.stdin?.end();
    return this.#net.topology.dispose();
  }

  async #echo({ mode, outside }: StaticChild): Promise<void> {
    const tunnel = mode === 'tunnel';
    const echo = tunnel ? this.#inner : this.#outer;
    const addresses = tunnel ? [B.host, B.host6] : [outside === 4 ? B.outside : B.outside6];
    const sizes = [...SIZES, ...LARGE];
    await Promise.all(addresses.map((address) => echo.datagrams(address, sizes)));
    await Promise.all(addresses.flatMap((address) => STREAMS.map((bytes) => echo.stream(address, bytes))));
  }

  async #order(order: Order): Promise<string> {
    this.#plane.stdin?.write(`${JSON.stringify(order)}\n`);
    return this.#answer();
  }

  async #answer(): Promise<string> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the data plane has ended: ${this.#stderr}`);
    return value;
  }

  /** The hosts have learnt the path MTU of the last child. */
  async #forget(): Promise<void> {
    const { hosta, hostb } = this.#net;
    const flush = ['route', 'flush', 'cache'];
    await Promise.all([hosta, hostb].flatMap((host) => [host.ip(...flush), host.ip('-6', ...flush)]));
  }
}
