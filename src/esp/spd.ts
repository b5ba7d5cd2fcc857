// The outbound policies (RFC 4301 §4.4.1): groups of SAs that serve one purpose, traps, blocks. A policy is a small
// number, so that a look-up allocates nothing.

import type { Selector } from '../ike/wire/ts.ts';
import { Policies, RANK } from './policy.ts';

/** The SAs of one purpose, oldest first. Outbound traffic takes the active one. */
interface Group {
  readonly policy: number;
  readonly members: Member[];
}

interface Member {
  readonly slot: number;
  readonly localTs: readonly Selector[];
  readonly remoteTs: readonly Selector[];
}

export class Spd {
  readonly policies = new Policies();
  /** By policy: the slot that sends, or -1. */
  active = new Int32Array(64).fill(-1);
  readonly #kinds = new Map<number, 'trap' | 'block'>();
  /** Policies of traps and blocks, by the control plane's numbers, and back. */
  readonly #ids = new Map<number, number>();
  readonly #named = new Map<number, number>();
  readonly #groups = new Map<number, Group>();
  readonly #byPolicy = new Map<number, Group>();
  readonly #bySlot = new Map<number, number>();
  readonly #free: number[] = [];
  #next = 0;

  /** The slot joins the SAs of `reqid`. */
  join(
    reqid: number,
    slot: number,
    localTs: readonly Selector[],
    remoteTs: readonly Selector[],
    active: boolean,
  ): void {
    const group = this.#groups.get(reqid) ?? { policy: this.#take(), members: [] };
    this.#groups.set(reqid, group);
    this.#byPolicy.set(group.policy, group);
    const member = { slot, localTs, remoteTs };
    group.members.push(member);
    this.#bySlot.set(slot, reqid);
    if (active) this.#use(group, member);
  }

  activate(slot: number): void {
    const group = this.#groupOf(slot);
    const member = group?.members.find((each) => each.slot === slot);
    if (group && member) this.#use(group, member);
  }

  /** Where the active SA goes and another is left, the newest of those takes over: nothing falls through to clear text. */
  leave(slot: number): void {
    const reqid = this.#bySlot.get(slot);
    const group = this.#groupOf(slot);
    if (!group || reqid === undefined) return;
    this.#bySlot.delete(slot);
    const { members, policy } = group;
    members.splice(
      members.findIndex((each) => each.slot === slot),
      1,
    );
    if (this.active[policy] === slot) this.#use(group, members.at(-1));
    if (members.length > 0) return;
    this.#groups.delete(reqid);
    this.#byPolicy.delete(policy);
    this.#free.push(policy);
  }

  /** The newest SA of the policy that is this worker's: what was handed to it while another took over. */
  ownedBy(policy: number, owners: Uint8Array, worker: number): number {
    const members = this.#byPolicy.get(policy)?.members ?? [];
    return members.findLast(({ slot }) => owners[slot] === worker)?.slot ?? -1;
  }

  isActive(slot: number): boolean {
    const group = this.#groupOf(slot);
    return group !== undefined && this.active[group.policy] === slot;
  }

  add(id: number, kind: 'trap' | 'block', localTs: readonly Selector[], remoteTs: readonly Selector[]): void {
    this.remove(id);
    const policy = this.#take();
    this.#kinds.set(policy, kind);
    this.#ids.set(id, policy);
    this.#named.set(policy, id);
    this.policies.add(policy, localTs, remoteTs, RANK[kind]);
  }

  remove(id: number): void {
    const policy = this.#ids.get(id);
    if (policy === undefined) return;
    this.policies.remove(policy);
    this.#ids.delete(id);
    this.#named.delete(policy);
    this.#kinds.delete(policy);
    this.#free.push(policy);
  }

  isTrap(policy: number): boolean {
    return this.#kinds.get(policy) === 'trap';
  }

  /** The control plane's number. */
  idOf(policy: number): number | undefined {
    return this.#named.get(policy);
  }

  #groupOf(slot: number): Group | undefined {
    const reqid = this.#bySlot.get(slot);
    return reqid === undefined ? undefined : this.#groups.get(reqid);
  }

  #use({ policy }: Group, member: Member | undefined): void {
    if (this.active[policy] === member?.slot) return;
    if ((this.active[policy] as number) >= 0) this.policies.remove(policy);
    this.active[policy] = member?.slot ?? -1;
    if (member) this.policies.add(policy, member.localTs, member.remoteTs, RANK.sa);
  }

  #take(): number {
    const policy = this.#free.pop() ?? this.#next++;
    if (policy >= this.active.length) {
      const larger = new Int32Array(this.active.length * 2).fill(-1);
      larger.set(this.active);
      this.active = larger;
    }
    this.active[policy] = -1;
    return policy;
  }
}
