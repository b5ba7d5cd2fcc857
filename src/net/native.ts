// The addon, typed. The only file that loads it.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { SocketAddress } from '../bytes/ip.ts';
import { formatIp, parseIp } from '../bytes/ip.ts';

/** Names a watch; only `pollStop` takes it. */
export type Watch = { readonly watch: unique symbol };

export type Version = 4 | 6;

/** What was opened, and which of the wished facilities the kernel has. */
export interface Opened {
  readonly fd: number;
  readonly name: string;
  readonly uses: number;
}

/** Names a cipher under its keys; the addon wipes them when it is collected. */
export type CipherHandle = { readonly cipher: unique symbol };

/** The ciphers of the data plane, one packet at a time: for tests, benches and the self-test. */
export interface CipherAddon {
  /**
   * `options`: encryption and key bits, integrity, ESN, sealing (or opening), and whether to keep to OpenSSL where there
   * is code of our own. Undefined where there is no such combination, or a key has a wrong size.
   */
  cipherNew(options: Int32Array, encrKey: Uint8Array, integKey: Uint8Array): CipherHandle | undefined;
  /** Of IV and ICV, and what the text's length is a multiple of. */
  cipherSizes(cipher: CipherHandle): [number, number, number];
  /**
   * `packet` begins with SPI and low sequence number. The text is in its place in the packet, behind the IV, or after
   * all that will be written. False: it failed.
   */
  cipherSeal(
    cipher: CipherHandle,
    packet: Uint8Array,
    textOffset: number,
    textLength: number,
    seqHigh: number,
    seqLow: number,
  ): boolean;
  /** In place, behind where the IV was. False: forged. */
  cipherOpen(cipher: CipherHandle, packet: Uint8Array, textLength: number, seqHigh: number, seqLow: number): boolean;
  /** A combined mode without ESP: seals or opens the text at the start of `bytes`, which the ICV follows. */
  cipherBare(cipher: CipherHandle, nonce: Uint8Array, aad: Uint8Array, bytes: Uint8Array, textLength: number): boolean;
  /** Nanoseconds a packet, over so many rounds; to open it takes one sealed with sequence number 1. NaN: it failed. */
  cipherTime(cipher: CipherHandle, packet: Uint8Array, textLength: number, rounds: number): number;
  cipherFacilities(): { readonly vaes: boolean; readonly openssl: string };
  /** Bytes of ICV written to `icv`, which has room for 32; 0 where there is no such algorithm or the key does not fit. */
  macCompute(integ: number, key: Uint8Array, parts: readonly Uint8Array[], icv: Uint8Array): number;
}

/** Calls that open throw an Error with `code`, `errno` and `syscall`; the others return a negative errno. */
export interface Addon extends CipherAddon, LaneAddon, ServiceAddon {
  readonly api: number;
  /** `status` is 0, or a negative errno when the descriptor cannot be polled any more. */
  pollStart(fd: number, callback: (status: number) => void): Watch;
  pollStop(watch: Watch): void;
  /** A mark of 0 is none. */
  udpOpen(version: Version, port: number, mark: number): number;
  udpPort(fd: number): number;
  udpReceive(fd: number, bytes: Uint8Array, path: Uint8Array): number;
  send(fd: number, bytes: Uint8Array, path: Uint8Array): number;
  /** `protocol` is that of routing or that of netfilter; bit n-1 of `groups` joins the multicast group n. */
  netlinkOpen(protocol: number, groups: number): number;
  netlinkSend(fd: number, bytes: Uint8Array): number;
  netlinkReceive(fd: number, bytes: Uint8Array): number;
  /**
   * Of a unix socket's other end: pid, uid, gid, how many groups (-1 where that cannot be told), and the groups unless there
   * is no room for all of them. 0, or a negative errno.
   */
  peerOf(fd: number, who: Int32Array): number;
  close(fd: number): number;
}

/** The data plane's part. Calls named `lane…` mean the lane of the thread that makes them; see native/addon_lane.c. */
export interface LaneAddon {
  laneStart(
    config: Int32Array,
    tx: Uint8Array,
    rx: Uint8Array,
    out: Int32Array,
    into: Int32Array,
    messages: Int32Array,
    counters: Uint8Array,
  ): void;
  laneStop(): void;
  laneWait(timeout: number): number;
  laneRead(max: number, bytes: number): number;
  laneSeal(count: number): void;
  laneFlush(): void;
  laneReceive(source: number, max: number): number;
  laneCollect(max: number): number;
  laneOpen(count: number): void;
  laneDeliver(count: number): void;
  laneInject(packet: Uint8Array): number;
  laneErrors(records: Int32Array): number;
  /** `spec`: SPI in and out, cipher, key bits, integrity, flags, MSS for IPv4 and IPv6. */
  saInstall(
    slot: number,
    spec: Int32Array,
    path: Uint8Array,
    encrIn: Uint8Array,
    integIn: Uint8Array,
    encrOut: Uint8Array,
    integOut: Uint8Array,
  ): void;
  saChange(slot: number, path: Uint8Array, flags: number, mss4: number, mss6: number): void;
  saDrop(slot: number): void;
  /** Bytes from the ESP or AH header on that opened, and that were sent. Only by whoever drops SAs. */
  saCarried(slot: number): [number, number] | undefined;
  tunOpen(name: string, queues: boolean, uses: number): Opened;
  /** One of several sockets on one port; `data`: it carries ESP. */
  udpMember(version: Version, port: number, mark: number, data: boolean, uses: number): Opened;
  /** Another descriptor to poll in place of a group's socket, whose errors are no end of it. */
  udpWatch(fd: number): number;
  udpErrors(fd: number, source: number, records: Int32Array): number;
  udpSteer(fd: number, workers: number): number;
  rawOpen(version: Version, protocol: number, mark: number, workers: number, index: number): number;
  /** Two ends between which packets keep apart, in the place of a device or a socket: for tests and benches. */
  pairOpen(): [number, number];
  eventOpen(): number;
  eventRing(fd: number): number;
  eventClear(fd: number): number;
  /** Mailbox 0 is the main thread's, n + 1 that of worker n; an event of -1 closes it. */
  mailboxOpen(index: number, event: number): void;
  mailboxPut(index: number, path: Uint8Array, bytes: Uint8Array): number;
  mailboxTake(index: number, path: Uint8Array, bytes: Uint8Array): number;
}

/** Life as a service. */
export interface ServiceAddon {
  /** 0, or a negative errno. `name` is a path, or begins with @. */
  notifySend(name: Uint8Array, text: Uint8Array): number;
  /** User and primary group; undefined where there is no such user. */
  userFind(name: string): [number, number] | undefined;
  /**
   * Ends this program and starts another in the same process, with those capabilities alone whose bits are in `keep`.
   * `argv` and `env` are strings that each end with a zero. Returns never; after an error the process must end.
   */
  startAnew(keep: number, argv: Uint8Array, env: Uint8Array, user?: string): never;
  /** Of this process's memory, to a file or a program. */
  dumpForbid(): void;
}

const API = 7;

let loaded: Addon | undefined;

export function addon(): Addon {
  loaded ??= load(
    process.env.ESPALIER_ADDON ??
      fileURLToPath(new URL('../../../native/build/Release/espalier.node', import.meta.url)),
  );
  return loaded;
}

function load(path: string): Addon {
  const build = 'build it with "npm run build:native" (gcc or clang, make and python3 are needed)';
  let module: unknown;
  try {
    module = createRequire(import.meta.url)(path);
  } catch (cause) {
    throw new Error(`the native addon ${path} cannot be loaded: ${build}`, { cause });
  }
  if (!isAddon(module)) throw new Error(`the native addon ${path} is of another version: ${build}`);
  return module;
}

function isAddon(module: unknown): module is Addon {
  return typeof module === 'object' && module !== null && 'api' in module && module.api === API;
}

export const PATH_SIZE = 38;

/** The two ends of a datagram as `struct path` in native/espalier.h lays them out. */
export class Path {
  readonly bytes = new Uint8Array(PATH_SIZE);
  readonly version: Version;
  readonly #size: number;

  constructor(version: Version) {
    this.version = version;
    this.#size = version === 4 ? 4 : 16;
    this.bytes[0] = version;
  }

  get local(): string {
    return formatIp(this.bytes.subarray(4, 4 + this.#size));
  }

  get remote(): string {
    return formatIp(this.bytes.subarray(20, 20 + this.#size));
  }

  get port(): number {
    return ((this.bytes[2] as number) << 8) | (this.bytes[3] as number);
  }

  /** The size of the datagrams that the kernel has joined into one, 0 when it has not. */
  get segment(): number {
    return ((this.bytes[36] as number) << 8) | (this.bytes[37] as number);
  }

  set(local: string, remote: SocketAddress): void {
    this.bytes[2] = remote.port >> 8;
    this.bytes[3] = remote.port;
    this.bytes.set(this.#parse(local), 4);
    this.bytes.set(this.#parse(remote.ip), 20);
  }

  #parse(ip: string): Uint8Array {
    const address = parseIp(ip);
    if (address?.length !== this.#size) throw new Error(`${ip} is not an IPv${this.version} address`);
    return address;
  }
}
