// The address of the control socket: `unix:///run/espalier/vici.sock`, as strongSwan writes it.

export const DEFAULT_URI = 'unix:///run/espalier/vici.sock';

/** sun_path of unix(7), without its closing zero. */
const MAX_PATH = 107;

/** The path in a URI, or in what is wrong with it. */
export function parseUri(uri: string): { readonly path: string } | { readonly wrong: string } {
  if (!uri.startsWith('unix://')) return { wrong: `"${uri}" is not a unix:// address, such as ${DEFAULT_URI}` };
  const path = uri.slice('unix://'.length);
  if (path === '' || path.includes('\0')) return { wrong: `"${uri}" names no path, such as ${DEFAULT_URI}` };
  if (Buffer.byteLength(path) > MAX_PATH) return { wrong: `"${uri}" has more than ${MAX_PATH} bytes of path` };
  return { path };
}
