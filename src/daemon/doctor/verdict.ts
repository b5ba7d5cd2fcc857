// What the doctor says of one thing on this host.

/** problem: the gateway cannot work like this; warning: it works, but not in all cases; note: neither good nor bad. */
export type Health = 'ok' | 'note' | 'warning' | 'problem';

export interface Verdict {
  /** What scripts rely on; several verdicts may have the same. */
  readonly code: string;
  readonly health: Health;
  /** What it is about, in a word or two. */
  readonly about: string;
  readonly text: string;
  /** Mends it, in a shell as root. */
  readonly command?: string;
  /** Where no command can know what is wanted, or beside one. */
  readonly advice?: string;
}

/** What a look at the host is told: the daemon's own options. */
export interface Patient {
  readonly config: readonly string[];
  readonly secrets?: string;
  readonly control: string;
  readonly stateDir: string;
  readonly tun: string;
  readonly port: number;
  readonly natPort: number;
  readonly workers?: number;
  /** The oldest Node that will do, as `20.19.0`. */
  readonly oldestNode: string;
  /** When this program was built, in milliseconds. */
  readonly built: number;
}
