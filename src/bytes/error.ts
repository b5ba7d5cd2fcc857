// What a decoder throws, and the only thing it throws: the sender's fault, with a stable code and the place.

export type WireCode =
  | 'truncated'
  | 'bad-length'
  | 'bad-value'
  | 'too-many'
  | 'too-deep'
  | 'trailing'
  | 'bad-version'
  | 'duplicate'
  | 'missing'
  | 'unexpected'
  | 'unsupported-critical';

export class WireError extends Error {
  override readonly name = 'WireError';
  readonly code: WireCode;
  readonly offset: number;
  /** The payload type that an UNSUPPORTED_CRITICAL_PAYLOAD answer must name (RFC 7296 §2.5). */
  readonly payload: number | undefined;

  constructor(code: WireCode, offset: number, payload?: number) {
    super(`${code} at ${offset}`);
    this.code = code;
    this.offset = offset;
    this.payload = payload;
  }
}
