// Which language a configuration file is written in: its first line that says something tells, and where that includes
// other files, they do.

import { ConfigError, wholeFile } from './error.ts';
import { type Files, matching, type SourceText } from './files.ts';

export type Language = 'ipsec.conf' | 'swanctl.conf';

/** A file that says nothing is a swanctl.conf, which makes no difference. */
export function languageOf(source: SourceText, files: Files): Language {
  return spoken(source, files, 0) ?? 'swanctl.conf';
}

const MAX_DEPTH = 16;
/** Comments, and what is taken for comments: the parser of ipsec.conf has something to say about those. */
const SILENT = /^\s*(#|\/\/|$)/;
const INCLUDE = /^\s*include[ \t]+"?([^\s"#=]+)/;
const SECTION = /^\s*(config[ \t]+setup|(conn|ca)[ \t]+[^\s{=:]+|version[ \t]+[\d.]+)/;

function spoken({ path, text }: SourceText, files: Files, depth: number): Language | undefined {
  for (const line of lines(text)) {
    if (SILENT.test(line)) continue;
    const pattern = INCLUDE.exec(line)?.[1];
    if (pattern === undefined) return SECTION.test(line) ? 'ipsec.conf' : 'swanctl.conf';
    const found = depth < MAX_DEPTH ? included(path, pattern, files) : undefined;
    const language = found && spoken(found, files, depth + 1);
    if (language) return language;
  }
  return undefined;
}

function* lines(text: string): Generator<string> {
  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length; ) {
    const end = text.indexOf('\n', at);
    yield text.slice(at, end < 0 ? text.length : end);
    at = end < 0 ? text.length : end + 1;
  }
}

/** The first of the files. What is wrong with it is said when it is read in earnest. */
function included(path: string, text: string, files: Files): SourceText | undefined {
  const place = wholeFile(path);
  try {
    const [first] = matching(files, path, { text, place });
    return first === undefined ? undefined : { path: first, text: files.read(first, place) };
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
