// Words into lines of a terminal's width.

/** A word that is longer than a line stands alone. Undefined never breaks. */
export function wrap(text: string, width: number | undefined): string[] {
  if (width === undefined) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && [...line].length + 1 + [...word].length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** The same for a command, so that it can be pasted into a shell as it stands. */
export function wrapCommand(text: string, width: number | undefined): string[] {
  const END = ' \\';
  const lines = wrap(text, width === undefined ? undefined : width - END.length);
  return lines.map((line, i) => (i < lines.length - 1 ? `${line}${END}` : line));
}
