// Reads what `swanctl --list-sas --raw` prints: vici messages as text, `key=value`, `key=[a b]`, `key {…}`.

export interface Sa {
  readonly conn: string;
  readonly id: number;
  readonly state: string;
  readonly version: number;
  /** Both IKE SPIs. */
  readonly spis: string;
  readonly localHost: string;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly fields: Section;
  readonly children: readonly ChildSa[];
}

export interface ChildSa {
  readonly name: string;
  readonly id: number;
  readonly state: string;
  readonly spiIn: string;
  readonly spiOut: string;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly encap: boolean;
  readonly fields: Section;
}

type Value = string | readonly string[] | Section;
export interface Section {
  readonly [key: string]: Value;
}

export function parseSas(text: string): readonly Sa[] {
  const events = text.split('\n').filter((line) => line.startsWith('list-sa event {'));
  return events.flatMap((line) => Object.entries(parse(line.slice(line.indexOf('{'))))).map(toSa);
}

function toSa([conn, value]: [string, Value]): Sa {
  const fields = section(value);
  return {
    conn,
    id: Number(fields.uniqueid),
    state: `${fields.state}`,
    version: Number(fields.version),
    spis: `${fields['initiator-spi']}_${fields['responder-spi']}`,
    localHost: `${fields['local-host']}`,
    remoteHost: `${fields['remote-host']}`,
    remotePort: Number(fields['remote-port']),
    fields,
    children: Object.values(section(fields['child-sas'] ?? {})).map(toChild),
  };
}

function toChild(value: Value): ChildSa {
  const fields = section(value);
  return {
    name: `${fields.name}`,
    id: Number(fields.uniqueid),
    state: `${fields.state}`,
    spiIn: `${fields['spi-in']}`,
    spiOut: `${fields['spi-out']}`,
    packetsIn: Number(fields['packets-in']),
    packetsOut: Number(fields['packets-out']),
    encap: fields.encap === 'yes',
    fields,
  };
}

function section(value: Value): Section {
  if (typeof value === 'object' && !Array.isArray(value)) return value as Section;
  throw new Error(`a section was expected, not ${JSON.stringify(value)}`);
}

/** A list, whose values may hold brackets as `10.0.0.1/32[tcp]` does; a brace; or a word. */
const TOKEN = /[^\s{}=]+=\[(?:[^[\]]|\[[^\]]*\])*\]|[{}]|[^\s{}]+/g;

function parse(text: string): Section {
  const tokens: readonly string[] = text.match(TOKEN) ?? [];
  let at = 0;
  const body = (): Section => {
    const fields: Record<string, Value> = {};
    for (at++; at < tokens.length && tokens[at] !== '}'; ) {
      const token = tokens[at++] as string;
      const equals = token.indexOf('=');
      const value = token.slice(equals + 1);
      if (equals < 0) fields[token] = body();
      else
        fields[token.slice(0, equals)] = value.startsWith('[') ? value.slice(1, -1).split(' ').filter(Boolean) : value;
    }
    at++;
    return fields;
  };
  return body();
}
