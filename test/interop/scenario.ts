// What the scenarios share: bringing a pair of gateways up, pings, rekeys, and the oracle "the two sides agree on exactly one live child".

import assert from 'node:assert/strict';
import { Espalier } from '../support/espalier.ts';
import { Flow, type Tally } from '../support/flow.ts';
import type { Gateway } from '../support/gateway.ts';
import { Kernel } from '../support/kernel.ts';
import { type Space, until } from '../support/netns.ts';
import type { ChildSa, Sa } from '../support/sas.ts';
import { A, B, type Sites, sites } from '../support/sites.ts';
import { StrongSwan } from '../support/strongswan.ts';
import { type Family, type Kind, namesOf, type Plan, type Side, swanctlConf } from './plan.ts';

/** The one IKE SA and the one child that both sides have, as a sees them. */
export interface Agreement {
  readonly sa: Sa;
  readonly child: ChildSa;
}

/** Two gateways, configured and running, with no tunnel yet. */
export class Lab implements AsyncDisposable {
  readonly plan: Plan;
  readonly net: Sites;
  readonly a: Gateway;
  readonly b: Gateway;

  private constructor(plan: Plan, net: Sites, a: Gateway, b: Gateway) {
    this.plan = plan;
    this.net = net;
    this.a = a;
    this.b = b;
  }

  static async start(plan: Plan): Promise<Lab> {
    const net = await sites({ nat: plan.nat ?? false, hop: plan.hop ?? false, guest: plan.b === 'kernel' });
    try {
      const a = await gateway(plan.a, net, net.gwa, swanctlConf(plan, 'a'), plan.daemon);
      const b = await gateway(plan.b, net, net.gwb, swanctlConf(plan, 'b'), plan.daemon);
      return new Lab(plan, net, a, b);
    } catch (error) {
      await net.topology.dispose();
      throw error;
    }
  }

  /** The same machines with another plan, and no tunnel: for scenarios that share what takes long to start. */
  async again(plan: Plan): Promise<Lab> {
    const [a, b] = [swanctlConf(plan, 'a'), swanctlConf(plan, 'b')];
    // The first to end says so to the other, who must be there to hear it.
    await this.a.stop();
    await Promise.all([
      this.a.start(a),
      this.b instanceof Kernel ? this.b.renew(b) : this.b.stop().then(() => this.b.start(b)),
    ]);
    return new Lab(plan, this.net, this.a, this.b);
  }

  /** Takes the tunnel down, for one over the other family: with a plan for `both`. */
  async over(outside: Family): Promise<Lab> {
    const done = await this.a.swanctl('--terminate', '--ike', namesOf(this.plan).ike, '--timeout', '10');
    assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
    await this.empty();
    return new Lab({ ...this.plan, outside }, this.net, this.a, this.b);
  }

  /** Brings the tunnel up from one side; the two then agree. */
  async up(from: Side): Promise<void> {
    const done = await this.side(from).swanctl('--initiate', '--child', namesOf(this.plan).child, '--timeout', '20');
    if (done.code !== 0) throw new Error(`initiate from ${from}: ${done.stdout}${done.stderr}\n${await this.logs()}`);
    await this.agreed();
  }

  side(side: Side): Gateway {
    return side === 'a' ? this.a : this.b;
  }

  /** Both hosts reach each other, in every family that is in the tunnel. */
  async pings(): Promise<void> {
    for (const family of this.plan.inside ?? [4]) {
      const { there, back } = await this.#ping(family, 5);
      if (there && back) continue;
      assert.fail(`IPv${family} does not get through (a to b: ${there}, b to a: ${back})\n${await this.logs()}`);
    }
  }

  /** The same after a disturbance: it may take a moment, but not for ever. */
  async pingsAgain(patience = 20_000): Promise<void> {
    await until(
      'both hosts reach each other again',
      async () => {
        const { there, back } = await this.#ping((this.plan.inside ?? [4])[0] ?? 4, 1);
        return there && back;
      },
      patience,
    );
    await this.pings();
  }

  async #ping(family: Family, count: number): Promise<{ readonly there: boolean; readonly back: boolean }> {
    const [toB, toA] = family === 4 ? [B.host, A.host] : [B.host6, A.host6];
    const [there, back] = await Promise.all([
      this.net.hosta.ping(toB, { count, patience: 1 }),
      this.net.hostb.ping(toA, { count, patience: 1 }),
    ]);
    return { there, back };
  }

  flow(family: Family = 4, rate?: number): Promise<Flow> {
    const [aAddress, bAddress] = family === 4 ? [A.host, B.host] : [A.host6, B.host6];
    return Flow.start({ a: this.net.hosta, b: this.net.hostb, aAddress, bAddress, ...(rate ? { rate } : {}) });
  }

  /** Waits until both sides have one IKE SA and one child and mean the same ones; returns a's view. */
  async agreed(): Promise<Agreement> {
    let last = '';
    try {
      return await until('the two sides agree', async () => {
        const [a, b] = await Promise.all([this.a.sas(), this.b.sas()]);
        last = JSON.stringify([a, b]);
        const [ours, theirs] = [settled(a), settled(b)];
        if (!ours || !theirs || ours.sa.spis !== theirs.sa.spis) return undefined;
        const same =
          spi(ours.child.spiIn) === spi(theirs.child.spiOut) && spi(ours.child.spiOut) === spi(theirs.child.spiIn);
        return same ? ours : undefined;
      });
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}: ${last}\n${await this.logs()}`);
    }
  }

  /** One rekey started by the named sides at once; over when both agree on something new. */
  async rekey(what: 'child' | 'ike', from: readonly Side[]): Promise<void> {
    const before = await this.agreed();
    const { ike, child } = namesOf(this.plan);
    const args = what === 'child' ? ['--child', child] : ['--ike', ike];
    const done = await Promise.all(from.map((side) => this.side(side).swanctl('--rekey', ...args)));
    for (const { code, stdout, stderr } of done) assert.equal(code, 0, `${stdout}${stderr}`);
    await this.changed((now) =>
      what === 'child' ? now.child.spiIn !== before.child.spiIn : now.sa.spis !== before.sa.spis,
    );
  }

  /** Waits until both agree on something that fits. */
  async changed(fits: (now: Agreement) => boolean): Promise<Agreement> {
    return until('both agree on something new', async () => {
      const now = await this.agreed();
      return fits(now) ? now : undefined;
    });
  }

  /** Waits until one side has forgotten the tunnel: no IKE SA that is established. */
  async gone(side: Side): Promise<void> {
    await until(
      `${side} gives the peer up`,
      async () => (await this.side(side).sas()).every(({ state }) => state !== 'ESTABLISHED'),
      120_000,
    );
  }

  async empty(): Promise<void> {
    await until('neither side has an SA', async () => {
      const [a, b] = await Promise.all([this.a.sas(), this.b.sas()]);
      return a.length + b.length === 0;
    });
  }

  /** The NAT forgets a's mapping: over when b has seen a at its new place. */
  async rebind(address?: string): Promise<void> {
    const place = async () =>
      (await this.b.sas()).map(({ remoteHost, remotePort }) => `${remoteHost} ${remotePort}`)[0];
    const before = await place();
    await this.net.nat?.rebind(address);
    await until('b sees a elsewhere', async () => {
      const now = await place();
      return now !== before && now !== undefined ? now : undefined;
    });
  }

  async logs(): Promise<string> {
    const [a, b] = await Promise.all([this.a.log(), this.b.log()]);
    const tail = (log: string) => log.split('\n').slice(-60).join('\n');
    return `--- a (${this.a.kind})\n${tail(a)}\n--- b (${this.b.kind})\n${tail(b)}`;
  }

  dispose(): Promise<void> {
    return this.net.topology.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Runs the work in a lab of its own, which goes afterwards in any case. */
export async function inLab(plan: Plan, work: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.start(plan);
  try {
    await work(lab);
  } finally {
    await lab.dispose();
  }
}

/** Nothing lost, nothing twice, in either direction. */
export function whole(tallies: readonly Tally[]): void {
  for (const [i, { lost, duplicated, sent, missing }] of tallies.entries()) {
    const which = `of ${sent} from ${i === 0 ? 'a to b' : 'b to a'}`;
    assert.deepEqual({ lost, duplicated, missing }, { lost: 0, duplicated: 0, missing: [] }, which);
    assert.ok(sent > 0);
  }
}

async function gateway(
  kind: Kind,
  net: Sites,
  space: Space,
  conf: string,
  daemon: Plan['daemon'] = {},
): Promise<Gateway> {
  switch (kind) {
    case 'strongswan':
      return StrongSwan.start(net.topology, space, { conf });
    case 'espalier':
      return Espalier.start(net.topology, space, { ...daemon, conf });
    case 'kernel':
      return Kernel.start(net, { conf });
  }
}

function settled(sas: readonly Sa[]): Agreement | undefined {
  const [sa, ...more] = sas;
  // What was replaced stays for some seconds, for packets that are still under way.
  const [child, ...others] = (sa?.children ?? []).filter(({ state }) => state !== 'REKEYED' && state !== 'DELETED');
  if (!sa || !child || more.length > 0 || others.length > 0) return undefined;
  return sa.state === 'ESTABLISHED' && child.state === 'INSTALLED' ? { sa, child } : undefined;
}

/** Leading zeros are a matter of taste. */
function spi(text: string): number {
  return Number.parseInt(text, 16);
}
