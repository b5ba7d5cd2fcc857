// Packets and bytes over all SAs since the start, those that are gone included.

export interface Totals {
  readonly bytesIn: number;
  readonly packetsIn: number;
  readonly bytesOut: number;
  readonly packetsOut: number;
}

export const NO_TOTALS: Totals = { bytesIn: 0, packetsIn: 0, bytesOut: 0, packetsOut: 0 };

export function sum(a: Totals, b: Totals): Totals {
  return {
    bytesIn: a.bytesIn + b.bytesIn,
    packetsIn: a.packetsIn + b.packetsIn,
    bytesOut: a.bytesOut + b.bytesOut,
    packetsOut: a.packetsOut + b.packetsOut,
  };
}
