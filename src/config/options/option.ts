// How an option of the configuration is described, and the words that descriptions share.

import type { Type } from '../schema.ts';

/**
 * implemented: does what it says. accepted: has no effect, which harms nothing, and a warning says so. refused: to ignore
 * it would change what is protected or who is let in, so that the configuration does not load. Both let the default pass.
 */
export type Status = 'implemented' | 'accepted' | 'refused';

export interface Option {
  /** Dotted; `<name>` stands for any word, `key<suffix>` for every word that begins with `key`. */
  readonly path: string;
  readonly type: Type;
  /** As one would write it; empty when there is none. */
  readonly default: string;
  readonly text: string;
  readonly status: Status;
  /** Why it has no effect, or why it is refused. */
  readonly reason: string;
  readonly extra: Extra;
}

export interface Extra {
  /** The default is computed from other options: this is how. */
  readonly computed?: string;
  /** Values of an implemented option that are not supported, each with the reason. */
  readonly refuses?: readonly (readonly [string, string])[];
  /** Further values that mean the same as the default does. */
  readonly neutral?: readonly string[];
  /** What the sample file shows instead of the default. */
  readonly example?: string;
  /** The option of swanctl.conf that one of ipsec.conf becomes as it stands, and is honoured or not like it. */
  readonly as?: string;
  readonly since?: 'espalier';
}

export const NOT_YET = 'not supported yet';
export const NO_CERTIFICATES = 'certificates and public keys are not supported yet';
export const NO_EAP = 'EAP and XAuth are not supported yet';
export const NO_KERNEL = 'no kernel IPsec is involved';
export const MAX = 0xffffffff;

export function has(path: string, type: Type, standard: string, about: string, extra: Extra = {}): Option {
  return { path, type, default: standard, text: about, status: 'implemented', reason: '', extra };
}

export function ignores(
  path: string,
  type: Type,
  standard: string,
  about: string,
  reason: string,
  extra: Extra = {},
): Option {
  return { path, type, default: standard, text: about, status: 'accepted', reason, extra };
}

export function refuses(
  path: string,
  type: Type,
  standard: string,
  about: string,
  reason: string,
  extra: Extra = {},
): Option {
  return { path, type, default: standard, text: about, status: 'refused', reason, extra };
}

export const CONN = 'connections.<conn>';
export const OWN: Extra = { since: 'espalier' };
