// Colours that carry no meaning of their own, and text from elsewhere made safe for a terminal.

export type Colour = 'green' | 'yellow' | 'red' | 'dim' | 'bold';

const CODES: Readonly<Record<Colour, number>> = { green: 32, yellow: 33, red: 31, dim: 2, bold: 1 };

export function paint(text: string, colour: Colour | undefined, enabled: boolean): string {
  return enabled && colour !== undefined ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
}

/** Names and identities may come from a peer: what would steer the terminal is shown as `\x1b` instead. */
export function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`;
  });
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
