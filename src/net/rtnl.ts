// A conversation with the kernel's routing: one request at a time, answered before the call returns.

import { EAGAIN, ENODEV, ENOENT, EPERM, ESRCH, failedWith, SystemError, system } from './error.ts';
import { addon } from './native.ts';
import {
  decode,
  decodeError,
  encode,
  type Message,
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './netlink.ts';
import { DUMP, type Request } from './rtnetlink.ts';

/** The kernel fills at most 32 KiB of a dump at a time. */
const BUFFER = 65_536;

/** How often a dump is begun anew because the table changed meanwhile. */
const TRIES = 8;

export class Rtnl {
  readonly #fd = system(() => addon().netlinkOpen(NETLINK_ROUTE, 0));
  readonly #buffer = new Uint8Array(BUFFER);
  #seq = 0;

  /** For requests that change something; throws what the kernel answers. */
  change(request: Request): void {
    this.#ask(request);
  }

  /** What somebody else has removed already, or what went with the device, is gone: that was the purpose. */
  withdraw(request: Request): void {
    try {
      this.change(request);
    } catch (error) {
      if (!failedWith(error, ESRCH, ENOENT, ENODEV)) throw error;
    }
  }

  /** The one message that answers `request`. */
  query(request: Request): Message {
    const [answer] = this.#ask(request).messages;
    if (!answer) throw new Error(`${request.name}: the kernel did not answer`);
    return answer;
  }

  dump(request: Request): readonly Message[] {
    for (let tries = 1; ; tries++) {
      const { messages, interrupted } = this.#ask(request);
      if (!interrupted || tries === TRIES) return messages;
    }
  }

  close(): void {
    addon().close(this.#fd);
  }

  #ask({ name, type, flags, body }: Request): { messages: Message[]; interrupted: boolean } {
    const seq = ++this.#seq;
    check(name, addon().netlinkSend(this.#fd, encode({ type, flags, seq, body })));
    const messages: Message[] = [];
    let interrupted = false;
    // The kernel works on a request while it is sent: its answers are there already.
    for (;;) {
      const length = check(name, addon().netlinkReceive(this.#fd, this.#buffer));
      for (const message of decode(this.#buffer.slice(0, length))) {
        if (message.seq !== seq) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const error = decodeError(message, name);
          if (error) throw refusal(error);
          return { messages, interrupted };
        }
        messages.push(message);
        if ((flags & DUMP) !== DUMP && (flags & NLM_F_ACK) === 0) return { messages, interrupted };
      }
    }
  }
}

export function check(name: string, result: number): number {
  if (result < 0) throw new SystemError(name, -result, result === -EAGAIN ? 'the kernel did not answer' : '');
  return result;
}

export function refusal(error: SystemError): SystemError {
  return error.errno === EPERM ? new SystemError(error.syscall, EPERM, 'CAP_NET_ADMIN is needed') : error;
}

/** For a single conversation. */
export function withRtnl<T>(talk: (rtnl: Rtnl) => T): T {
  const rtnl = new Rtnl();
  try {
    return talk(rtnl);
  } finally {
    rtnl.close();
  }
}
