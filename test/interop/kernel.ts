// One lab with a kernel at b for many plans: the machine is booted once.

import assert from 'node:assert/strict';
import { ANSWER, Echo } from '../support/echo.ts';
import { Kernel } from '../support/kernel.ts';
import type { Space } from '../support/netns.ts';
import { B } from '../support/sites.ts';
import type { Family, Plan, Side } from './plan.ts';
import { Lab } from './scenario.ts';

/** Every length of padding, and what is just below and above a packet. */
const SIZES = [...Array(70).keys(), 1371, 1372, 1373, 1387, 1400, 1410, 1471, 1472, 1473, 2000, 5000, 20_001];
const FEW = [1, 2, 3, 4, 56, 1299, 1399];
const STREAMS = [1, 1399, 65_537, 1_000_003];
const ONE = [100_001];

export class Rig {
  #lab: Lab;
  readonly #kernel: Kernel;
  /** Between the hosts, and between the gateways themselves. */
  readonly #inner: Echo;
  readonly #outer: Echo;
  #faults = '';

  private constructor(lab: Lab, kernel: Kernel, inner: Echo, outer: Echo) {
    this.#lab = lab;
    this.#kernel = kernel;
    this.#inner = inner;
    this.#outer = outer;
  }

  static async boot(plan: Plan): Promise<Rig> {
    const lab = await Lab.start(plan);
    try {
      const { a, b, net } = lab;
      assert.ok(b instanceof Kernel);
      await net.gwa.sysctl({ 'net.ipv4.icmp_ratelimit': 0, 'net.ipv6.icmp.ratelimit': 0 });
      await b.guest.must(`setsid ${ANSWER.join(' ')} >answer.out 2>&1 </dev/null &`);
      return new Rig(lab, b, await Echo.between(net.hosta, net.hostb), new Echo(a.space));
    } catch (error) {
      await lab.dispose();
      throw error;
    }
  }

  /** The machines with another plan, and no tunnel. */
  async lab(plan: Plan): Promise<Lab> {
    this.#lab = await this.#lab.again(plan);
    [this.#faults] = await Promise.all([this.#faultCounts(), this.#forget()]);
    return this.#lab;
  }

  /** The same plan over the other family, and no tunnel. */
  async over(outside: Family): Promise<Lab> {
    this.#lab = await this.#lab.over(outside);
    await this.#forget();
    return this.#lab;
  }

  /** Sends data of all kinds and sizes, or of some, through the tunnel, and has it come back. */
  async echo(amount: 'all' | 'some'): Promise<void> {
    const { inside = [4], outside = 4, mode } = this.#lab.plan;
    const all = amount === 'all';
    const echo = mode === 'transport' ? this.#outer : this.#inner;
    const addresses =
      mode === 'transport'
        ? [outside === 4 ? B.outside : B.outside6]
        : inside.map((family) => (family === 4 ? B.host : B.host6));
    const sizes = all ? SIZES : FEW;
    try {
      await Promise.all(addresses.map((address) => echo.datagrams(address, sizes)));
      const streams = addresses.flatMap((address) => (all ? STREAMS : ONE).map((bytes) => echo.stream(address, bytes)));
      await Promise.all(streams);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${await this.#lab.logs()}`);
    }
  }

  /** A transfer of some seconds' length, each way. */
  transfer(): Promise<void> {
    return this.#inner.stream(B.host, 20_000_003);
  }

  /** The link from the router on the way to one side takes no packets larger than this, and that side knows it. */
  async narrow(side: Side, mtu: number): Promise<void> {
    const { gwa, hop } = this.#lab.net;
    assert.ok(hop);
    await hop.ip('link', 'set', side === 'a' ? 'gwa' : 'gwb', 'mtu', `${mtu}`);
    if (side === 'a') await gwa.ip('link', 'set', 'hop', 'mtu', `${mtu}`);
    else await this.#kernel.guest.must(`ip link set hop mtu ${mtu}`);
  }

  /** What a host learns that asks with a packet too large, once a packet of that size has got through. */
  async pathMtu(host: Space, address: string): Promise<number> {
    const headers = address.includes(':') ? 48 : 28;
    const ping = (size: number) =>
      host.run('ping', ['-n', '-c3', '-i0.1', '-W1', '-Mdo', `-s${size - headers}`, address]);
    const told = await ping(1500);
    const mtu = Number(/mtu ?= ?(\d+)/.exec(told.stdout + told.stderr)?.[1]);
    const done = await ping(mtu);
    assert.match(done.stdout, /3 received/, `${told.stdout}${told.stderr}${done.stdout}${done.stderr}`);
    return mtu;
  }

  /** What the kernel's IPsec has refused or failed at since the plan began. */
  async faultless(): Promise<void> {
    assert.equal(await this.#faultCounts(), this.#faults);
  }

  /** Closes the tunnel while both sides live, and then the lab. */
  async dispose(): Promise<void> {
    await this.#lab.a.stop();
    await this.#lab.dispose();
  }

  /** The hosts have learnt the path MTU of the last plan. */
  async #forget(): Promise<void> {
    const { hosta, hostb } = this.#lab.net;
    const flush = ['route', 'flush', 'cache'];
    await Promise.all([hosta, hostb].flatMap((host) => [host.ip(...flush), host.ip('-6', ...flush)]));
  }

  #faultCounts(): Promise<string> {
    return this.#kernel.guest.must('cat /proc/net/xfrm_stat');
  }
}
