// What happens in the demonstration: a tunnel comes up, its keys change, the configuration is read anew under traffic;
// then somebody's mistake takes the tunnel down, `espalier why` says what it was, and the tunnel comes back.

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { DONE } from '../io.ts';
import { type Colour, stateColour } from '../render/style.ts';
import { espalier, type Said } from './command.ts';
import { DemoError } from './error.ts';
import { configure, Gateway, type LogLine, PROPOSALS_LINE, type Settings, type View } from './gateway.ts';
import { NOTHING, PING, Ping, sum, type Tally } from './ping.ts';
import type { Row, Screen } from './screen.ts';
import { SITES, type Side, type Stage } from './stage.ts';
import { Interrupted, unless } from './stop.ts';
import { fate, keys, pings, protection, times, told, tunnel, WARN } from './words.ts';

export interface StoryOptions {
  readonly stage: Stage;
  readonly show: Screen;
  /** It is told to its end in any case; then traffic goes on until so many seconds are over. */
  readonly seconds: number;
  /** Milliseconds to read what has just appeared. */
  readonly pace: number;
  /** The age in seconds at which the tunnel gets new keys. */
  readonly renewal: number;
  readonly stop: AbortSignal;
}

export interface Ending {
  readonly code: number;
  readonly words: readonly string[];
}

const SECRET = 'Any secret will do for a demonstration 0816';
const BASE = 'aes256gcm16-prfsha384';
const AGREED = `${BASE}-x25519`;
const MISTAKEN = `${BASE}-modp2048`;
const MENDED = `${BASE}-modp2048-x25519`;
/** Longest wait for new keys, in renewals. */
const PATIENCE = 10;

export class Story {
  readonly #options: StoryOptions;
  readonly #began = performance.now();
  /** Ours: a gateway that ends stops the story, too. */
  readonly #fault = new AbortController();
  readonly #signal: AbortSignal;
  #a: Gateway | undefined;
  #ping: Ping | undefined;
  /** Of pings that are over. */
  #past = NOTHING;
  #renewals = 0;
  /** A failure is being shown, of which the gateways need not warn. */
  #failing = false;
  #over = false;

  constructor(options: StoryOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.stop, this.#fault.signal]);
  }

  async run(): Promise<Ending> {
    let code: number = DONE;
    try {
      await this.#play();
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      code = error.code;
    } finally {
      await this.#hush();
      this.#over = true;
      this.#a?.disconnect();
    }
    const total = this.#tally;
    if (code === DONE && !this.#signal.aborted && total.answered === 0) {
      throw new DemoError('not one packet came through the tunnel');
    }
    const words = [`Through the tunnel: ${fate(total)}; keys changed ${times(this.#renewals)}.`];
    return { code, words: total.sent === 0 ? [] : words };
  }

  async #play(): Promise<void> {
    await this.#tunnel();
    await this.#reload();
    await this.#failure();
    await this.#mending();
    await this.#rest();
  }

  // --- the acts --------------------------------------------------------------------------------------------------------

  async #tunnel(): Promise<void> {
    // To the end in any case: half of it could not be taken away while the other half is being made.
    await this.#options.stage.build();
    await this.#gateway('b');
    this.#a = await this.#gateway('a');
    await this.#unreachable('without a tunnel');
    await this.#espalier('a', 'up', 'gw');
    this.#talk();
    this.#watch();
    await this.#newKeys();
  }

  async #reload(): Promise<void> {
    const before = await this.#spi();
    const renewals = this.#renewals;
    this.#write('a', { branch: true });
    this.#tell('a second connection is written into a.conf, while packets go on');
    await this.#espalier('a', 'reload');
    await this.#pause();
    const after = await this.#spi();
    if (renewals === this.#renewals && before !== after) throw new DemoError('a reload has changed the tunnel');
    this.#tell(`the tunnel has not noticed: ${fate(this.#tally)}`);
  }

  async #failure(): Promise<void> {
    this.#write('b', { proposals: MISTAKEN });
    this.#tell(`somebody makes a mistake in b.conf:${PROPOSALS_LINE}: proposals = ${MISTAKEN}`);
    await this.#espalier('b', 'reload');
    this.#tell('the tunnel goes on: proposals count when it is negotiated anew');
    await this.#pause();
    await this.#hush();
    await this.#espalier('a', 'down', 'gw');
    this.#failing = true;
    const { lines } = await this.#espalier('a', 'up', 'gw', 1);
    if (lines.length === 0) throw new DemoError('"espalier up" failed without a word');
    await this.#status();
    await this.#unreachable('nothing goes out in clear');
    await this.#espalier('b', 'why', 'gw');
    await this.#pause(2);
  }

  async #mending(): Promise<void> {
    this.#write('b', { proposals: MENDED });
    this.#tell(`b.conf:${PROPOSALS_LINE} is mended as it says: proposals = ${MENDED}`);
    await this.#espalier('b', 'reload');
    await this.#espalier('a', 'up', 'gw');
    this.#failing = false;
    this.#talk();
    await this.#pause();
    await this.#status();
  }

  /** Until the time is over, or an interruption: with a terminal that is how it ends. */
  async #rest(): Promise<void> {
    const { show, seconds } = this.#options;
    show.over();
    while (this.#elapsed < seconds) await this.#sleep(Math.min(1000, (seconds - this.#elapsed) * 1000));
    await this.#status();
  }

  // --- what they are made of -------------------------------------------------------------------------------------------

  #gateway(side: Side): Promise<Gateway> {
    this.#write(side);
    return this.#unless(Gateway.start(this.#options.stage, side, (line) => this.#log(side, line)));
  }

  #write(side: Side, change: Partial<Settings> = {}): void {
    const renewal = side === 'a' ? this.#options.renewal : 0;
    configure(side, { secret: SECRET, proposals: AGREED, renewal, branch: false, ...change });
  }

  #log(side: Side, line: LogLine): void {
    if (this.#over || (this.#failing && line.level === WARN)) return;
    if (side === 'a' && line.event === 'child-rekeyed') this.#renewals++;
    const text = told(side, line);
    if (text !== undefined) this.#tell(text);
  }

  /** As a user does it. */
  async #espalier(side: Side, verb: string, name?: string, expected = 0): Promise<Said> {
    const args = [verb, ...(name === undefined ? [] : [name])];
    this.#tell(`${side.toUpperCase()} $ espalier ${args.join(' ')}`, 'bold');
    const said = await this.#unless(espalier(this.#options.stage, side, args));
    if (said.code !== expected) {
      throw new DemoError(`"espalier ${args.join(' ')}" ended with ${said.code}:\n${said.lines.join('\n')}`);
    }
    // Of a failure the first line: `why` tells the rest.
    const [lines, colour] =
      expected === 0 ? ([said.lines, undefined] as const) : ([said.lines.slice(0, 1), 'red'] as const);
    for (const line of lines) this.#tell(`    ${line}`, colour);
    return said;
  }

  async #unreachable(why: string): Promise<void> {
    const ping = this.#options.stage.spawn('a', 'ping', ['-n', '-c', '1', '-W', '1', SITES.b.inside]);
    ping.stdout?.resume();
    ping.stderr?.resume();
    const [code] = await this.#unless(once(ping, 'close'));
    if (code === 0) throw new DemoError(`${SITES.b.inside} answers although there is no tunnel`);
    this.#tell(`${why}: ${SITES.a.inside} cannot reach ${SITES.b.inside}`);
  }

  #talk(): void {
    this.#ping = new Ping(this.#options.stage.spawn('a', 'ping', [...PING, SITES.b.inside]));
    this.#tell(`${SITES.a.inside} pings ${SITES.b.inside} ten times a second, 1000 bytes each time`);
  }

  async #hush(): Promise<void> {
    const ping = this.#ping;
    if (!ping) return;
    const tally = await ping.stop();
    this.#ping = undefined;
    this.#past = sum(this.#past, tally);
  }

  async #newKeys(): Promise<void> {
    const end = this.#elapsed + PATIENCE * this.#options.renewal;
    while (this.#renewals === 0) {
      if (this.#elapsed > end) throw new DemoError('the tunnel has got no new keys');
      await this.#sleep(100);
    }
  }

  async #spi(): Promise<string> {
    const { child } = await this.#view();
    return `${child?.get('spi-in')}`;
  }

  #view(): Promise<View> {
    if (!this.#a) throw new Error('there is no gateway yet');
    return this.#unless(this.#a.view());
  }

  /** Each second, as soon as there is something to show. */
  #watch(): void {
    const watch = async () => {
      for (;;) {
        await this.#sleep(1000);
        if (this.#over) return;
        await this.#status(false);
      }
    };
    watch().catch((error) => this.#fault.abort(error));
  }

  async #status(important = true): Promise<void> {
    const view = await this.#view();
    const colour = stateColour(view.state);
    const rows: readonly Row[] = [
      { label: 'tunnel', text: tunnel(view), ...(colour === undefined ? {} : { colour }) },
      { label: 'packets', text: protection(view) },
      { label: 'ping', text: pings(this.#tally) },
      { label: 'keys', text: keys(view, this.#renewals) },
    ];
    this.#options.show.status(this.#elapsed, rows, important);
  }

  get #tally(): Tally {
    return sum(this.#past, this.#ping?.tally ?? NOTHING);
  }

  get #elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }

  #tell(text: string, colour?: Colour): void {
    this.#options.show.event(this.#elapsed, text, colour);
  }

  #pause(times = 1): Promise<void> {
    return this.#sleep(times * this.#options.pace);
  }

  async #sleep(milliseconds: number): Promise<void> {
    await this.#unless(sleep(milliseconds));
  }

  #unless<T>(work: Promise<T>): Promise<T> {
    return unless(this.#signal, work);
  }
}
