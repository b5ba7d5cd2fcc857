// A strict reader of Prometheus' text format (0.0.4): whatever is not as the format has it throws.

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

export function parseMetrics(text: string): readonly Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  const seen = new Set<string>();
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment) {
      const [, kind = '', name = '', rest = ''] = comment;
      if (!NAME.test(name)) throw new Error(`a name: ${line}`);
      if (kind === 'TYPE') {
        if (types.has(name)) throw new Error(`twice a type: ${line}`);
        if (rest !== 'gauge' && rest !== 'counter') throw new Error(`a type: ${line}`);
        types.set(name, rest);
        family = name;
      }
      continue;
    }
    const sample = parseSample(line);
    if (sample.name !== family) throw new Error(`out of its family: ${line}`);
    if (types.get(family) === 'counter' && !family.endsWith('_total')) throw new Error(`a counter's name: ${line}`);
    if (types.get(family) === 'counter' && sample.value < 0) throw new Error(`a counter below 0: ${line}`);
    const series = JSON.stringify([sample.name, ...sample.labels]);
    if (seen.has(series)) throw new Error(`twice: ${line}`);
    seen.add(series);
    samples.push(sample);
  }
  return samples;
}

function parseSample(line: string): Sample {
  const [, name = '', inner = '', digits = ''] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  const value = Number(digits);
  if (name === '' || digits === '' || !Number.isFinite(value)) throw new Error(`no sample: ${line}`);
  const labels = new Map<string, string>();
  let rest = inner;
  while (rest !== '') {
    const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.exec(rest);
    if (!label) throw new Error(`no label: ${line}`);
    const [whole, key = '', text = ''] = label;
    if (labels.has(key)) throw new Error(`twice a label: ${line}`);
    labels.set(
      key,
      text.replace(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char)),
    );
    rest = rest.slice(whole.length);
  }
  return { name, labels, value };
}

/** The one value with these labels among others; undefined when there is none. */
export function sampleOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}) {
  const fits = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, text]) => sample.labels.get(key) === text),
  );
  if (fits.length > 1) throw new Error(`several ${name} ${JSON.stringify(labels)}`);
  return fits[0]?.value;
}
