// The stock swanctl of strongSwan as a client, with a configuration of its own.

import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';

export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function swanctl(uri: string, ...args: readonly string[]): Promise<Done> {
  return new Promise((resolve) => {
    execFile(
      'swanctl',
      [...args, '--uri', uri],
      { env: environment(uri), timeout: 30_000 },
      (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
      },
    );
  });
}

/** Puts a swanctl.conf beside the socket, for `--file`. */
export function confFile(uri: string, conf: string): string {
  const file = join(dirname(uri.slice('unix://'.length)), 'swanctl.conf');
  writeFileSync(file, conf);
  return file;
}

export interface Watching {
  /** Until so much has been printed. */
  printed(wanted: RegExp): Promise<string>;
}

/** One that goes on until the test is over: `--monitor-sa`, `--log`. */
export function watching(t: TestContext, uri: string, ...args: readonly string[]): Watching {
  // It writes to a pipe, and would keep back what it has to say until there is a lot of it.
  const child = spawn('stdbuf', ['-oL', 'swanctl', ...args, '--uri', uri], { env: environment(uri) });
  t.after(() => child.kill());
  let text = '';
  let heard = () => {};
  child.stdout.on('data', (chunk) => {
    text += chunk;
    heard();
  });
  return {
    printed: async (wanted) => {
      while (!wanted.test(text)) {
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
      }
      return text;
    },
  };
}

function environment(uri: string): NodeJS.ProcessEnv {
  // No configuration of the host has a say. An empty file would not do: swanctl takes it for a broken one.
  const conf = `${uri.slice('unix://'.length)}.conf`;
  writeFileSync(conf, 'swanctl {\n}\n');
  return { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin`, STRONGSWAN_CONF: conf };
}
