export interface Shape {
  readonly protocol: 'esp' | 'ah';
  readonly mode: 'tunnel' | 'transport';
  readonly udp: boolean;
  readonly version: 4 | 6;
  readonly ivSize: number;
  readonly icvSize: number;
  readonly align: number;
}
export function innerMtu(outer: number, s: Shape): number {
  const room = outer - (s.version === 4 ? 20 : 40) - (s.udp ? 8 : 0) - 8 - s.ivSize - s.icvSize;
  return Math.floor(room / s.align) * s.align - 2;
}
export function tcpMss(mtu: number, family: 4 | 6): number {
  return mtu - (family === 4 ? 40 : 60);
}
