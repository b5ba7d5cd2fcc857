// One gateway's data plane between the test's own hands: what it reads from the inside and the wire is put there packet
// by packet, and what it writes to either is seen. No other host is there, and no IP stack at the far ends.

import { Bare, type BareOptions } from './bare.ts';
import { Capture, type CaptureOptions } from './capture.ts';
import { Injector } from './inject.ts';
import { type Space, Topology } from './netns.ts';

/** By family; nobody has the peer's. */
export const ENDS = {
  4: { local: '192.0.2.1', remote: '192.0.2.2' },
  6: { local: '2001:db8::1', remote: '2001:db8::2' },
} as const;

const PEER_MAC = '02:00:00:00:00:02';

export class Solo {
  readonly topology: Topology;
  readonly gateway: Space;
  readonly peer: Space;
  readonly bare: Bare;
  /** Packets of hosts behind the gateway. */
  readonly inside: Injector;
  /** Packets of the peer, or of strangers. */
  readonly outside: Injector;

  private constructor(parts: Pick<Solo, 'topology' | 'gateway' | 'peer' | 'bare' | 'inside' | 'outside'>) {
    this.topology = parts.topology;
    this.gateway = parts.gateway;
    this.peer = parts.peer;
    this.bare = parts.bare;
    this.inside = parts.inside;
    this.outside = parts.outside;
  }

  static async start(options: BareOptions = {}): Promise<Solo> {
    const topology = new Topology();
    try {
      const [gateway, peer] = [await topology.space('gateway'), await topology.space('peer')];
      await topology.wire(gateway, [`${ENDS[4].local}/24`, `${ENDS[6].local}/64`], peer, []);
      await peer.ip('link', 'set', 'gateway', 'address', PEER_MAC);
      for (const { remote } of Object.values(ENDS)) {
        await gateway.ip('neighbour', 'replace', remote, 'lladdr', PEER_MAC, 'dev', 'peer');
      }
      const bare = await Bare.start(gateway, options);
      const inside = await Injector.start(gateway, Bare.TUN);
      const outside = await Injector.across(peer, 'gateway', gateway, 'peer');
      return new Solo({ topology, gateway, peer, bare, inside, outside });
    } catch (error) {
      await topology.dispose();
      throw error;
    }
  }

  /** What it delivers to the inside. */
  delivered(options: Partial<CaptureOptions> = {}): Promise<Capture> {
    return Capture.start(this.gateway, Bare.TUN, { filter: 'udp', direction: 'in', ...options });
  }

  /** What it sends. */
  sent(options: Partial<CaptureOptions> = {}): Promise<Capture> {
    return Capture.start(this.peer, 'gateway', { filter: 'esp or udp port 4500', direction: 'in', ...options });
  }

  dispose(): Promise<void> {
    return this.topology.dispose();
  }
}
