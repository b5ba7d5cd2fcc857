// Colours that carry no meaning of their own.

export type Colour = 'green' | 'yellow' | 'red' | 'dim' | 'bold';

const CODES: Readonly<Record<Colour, number>> = { green: 32, yellow: 33, red: 31, dim: 2, bold: 1 };

export function paint(text: string, colour: Colour | undefined, enabled: boolean): string {
  return enabled && colour !== undefined ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
}

export function stateColour(state: string): Colour | undefined {
  switch (state) {
    case 'connected':
      return 'green';
    case 'waiting':
    case 'connecting':
    case 'rekeying':
    case 'deleting':
      return 'yellow';
    case 'phase1-failed':
    case 'phase2-failed':
      return 'red';
    default:
      return undefined;
  }
}
