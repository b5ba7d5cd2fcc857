// The kernel said no: which call, which errno, and which capability or setting to look at.

import { getSystemErrorMap, getSystemErrorName } from 'node:util';

/** Linux numbers of the errors that are decided on. */
export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EAGAIN = 11;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const EPROTONOSUPPORT = 93;
export const EOPNOTSUPP = 95;
export const EAFNOSUPPORT = 97;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETUNREACH = 101;
export const EHOSTUNREACH = 113;

export class SystemError extends Error {
  override readonly name = 'SystemError';
  readonly syscall: string;
  /** Positive, as errno is. */
  readonly errno: number;
  readonly code: string;
  /** What to check; empty when there is nothing to say. */
  readonly hint: string;

  constructor(syscall: string, errno: number, hint = '') {
    const [code, reason] = getSystemErrorMap().get(-errno) ?? [getSystemErrorName(-errno), `error ${errno}`];
    super(`${syscall}: ${reason}${hint && `: ${hint}`}`);
    this.syscall = syscall;
    this.errno = errno;
    this.code = code;
    this.hint = hint;
  }
}

export function failedWith(error: unknown, ...numbers: readonly number[]): error is SystemError {
  return error instanceof SystemError && numbers.includes(error.errno);
}

/** Runs a call of the addon; the error that it throws comes out as a `SystemError` with a hint by errno. */
export function system<T>(call: () => T, hints: (errno: number, syscall: string) => string = () => ''): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Error) || !('errno' in error) || !('syscall' in error)) throw error;
    const { errno, syscall } = error;
    if (typeof errno !== 'number' || typeof syscall !== 'string') throw error;
    throw new SystemError(syscall, errno, hints(errno, syscall));
  }
}

/** Setting the mark is the one call of a socket that needs CAP_NET_ADMIN. */
export function markHint(errno: number, syscall: string): string {
  if (errno !== EPERM || !syscall.includes('SO_MARK')) return '';
  return 'run as root or give the process CAP_NET_ADMIN, which marking packets needs; without the mark IKE and ESP could be routed into their own tunnel';
}
