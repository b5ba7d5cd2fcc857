// A conversation with netfilter (linux/netfilter/nfnetlink.h): changes in transactions, and word of what others delete.

import { concat } from '../bytes/bytes.ts';
import { EAGAIN, ENOENT, failedWith, SystemError, system } from './error.ts';
import { addon, type Watch } from './native.ts';
import {
  decode,
  decodeError,
  encode,
  type Message,
  NETLINK_NETFILTER,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
} from './netlink.ts';
import { deletesTable, generic, NFNL_SUBSYS_NFTABLES } from './nftables.ts';
import type { Request } from './rtnetlink.ts';
import { check, refusal } from './rtnl.ts';

const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNLGRP_NFTABLES = 7;

const AF_UNSPEC = 0;

const BUFFER = 65_536;

export class Nfnl {
  readonly #fd = system(() => addon().netlinkOpen(NETLINK_NETFILTER, 0));
  readonly #buffer = new Uint8Array(BUFFER);
  #seq = 0;

  /** All of it happens, or nothing. */
  commit(requests: readonly Request[]): void {
    const first = this.#seq + 1;
    const last = requests.length - 1;
    const bounds = generic(AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    const begin = { name: 'NFNL_MSG_BATCH_BEGIN', type: NFNL_MSG_BATCH_BEGIN, flags: NLM_F_REQUEST, body: bounds };
    // The kernel acknowledges the end of a batch since 6.10 only: the last request within stands for it. The word comes
    // after the commit, and behind what the commit itself has to complain of.
    const batch = [
      begin,
      ...requests.map((one, i) => (i === last ? { ...one, flags: one.flags | NLM_F_ACK } : one)),
      { ...begin, name: 'NFNL_MSG_BATCH_END', type: NFNL_MSG_BATCH_END },
    ];
    const bytes = concat(...batch.map(({ type, flags, body }) => encode({ type, flags, seq: ++this.#seq, body })));
    const answers = this.#exchange(requests[last]?.name ?? begin.name, bytes);
    for (const answer of answers) {
      const name = batch[answer.seq - first]?.name;
      const error = name && answer.type === NLMSG_ERROR && decodeError(answer, name);
      if (error) throw refusal(error);
    }
    if (answers.length === 0) throw new SystemError(begin.name, EAGAIN, 'the kernel did not answer');
  }

  /** Whether what `request` asks for is there. */
  has({ name, type, flags, body }: Request): boolean {
    for (const answer of this.#exchange(name, encode({ type, flags, seq: ++this.#seq, body }))) {
      const error = answer.type === NLMSG_ERROR && decodeError(answer, name);
      if (failedWith(error, ENOENT)) return false;
      if (error) throw refusal(error);
    }
    return true;
  }

  close(): void {
    addon().close(this.#fd);
  }

  /** The kernel works on what it gets while it is sent: all answers are there then. */
  #exchange(name: string, bytes: Uint8Array): Message[] {
    check(name, addon().netlinkSend(this.#fd, bytes));
    const answers: Message[] = [];
    for (;;) {
      const length = addon().netlinkReceive(this.#fd, this.#buffer);
      if (length === -EAGAIN) return answers;
      answers.push(...decode(this.#buffer.slice(0, check(name, length))));
    }
  }
}

/** Tells when some table was deleted, or may have been. `nft flush ruleset` deletes everybody's. */
export class DeletionWatch {
  readonly #fd = system(() => addon().netlinkOpen(NETLINK_NETFILTER, 1 << (NFNLGRP_NFTABLES - 1)));
  readonly #buffer = new Uint8Array(BUFFER);
  readonly #onDeletion: () => void;
  #watch: Watch | undefined;

  constructor(onDeletion: () => void) {
    this.#onDeletion = onDeletion;
    try {
      this.#start();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#stop();
    addon().close(this.#fd);
  }

  #start(): void {
    this.#watch = system(() => addon().pollStart(this.#fd, (status) => this.#drain(status)));
  }

  #stop(): void {
    if (this.#watch) addon().pollStop(this.#watch);
    this.#watch = undefined;
  }

  #drain(status: number): void {
    let deleted = false;
    for (let length = 0; length >= 0; ) {
      length = addon().netlinkReceive(this.#fd, this.#buffer);
      // What changed while there was no room for its events went untold (ENOBUFS).
      if (length < 0) deleted ||= length !== -EAGAIN;
      else deleted ||= decode(this.#buffer.subarray(0, length)).some(deletesTable);
    }
    // libuv gives up a descriptor with an error, which is read and gone by now.
    if (status < 0) {
      this.#stop();
      this.#start();
    }
    if (deleted) this.#onDeletion();
  }
}
