// Prometheus' text format, version 0.0.4: families with their help and type, samples with their labels.

export type Sample = (labels: Readonly<Record<string, string>>, value: number) => void;

export class Exposition {
  readonly #prefix: string;
  readonly #lines: string[] = [];

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  gauge(name: string, help: string): Sample {
    return this.#family(name, help, 'gauge');
  }

  /** The name ends in `_total`. */
  counter(name: string, help: string): Sample {
    return this.#family(name, help, 'counter');
  }

  text(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  #family(name: string, help: string, type: 'gauge' | 'counter'): Sample {
    const full = this.#prefix + name;
    this.#lines.push(`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`);
    return (labels, value) => {
      const written = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
      this.#lines.push(`${full}${written.length > 0 ? `{${written.join(',')}}` : ''} ${value}`);
    };
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
