// For every platform a configuration that it has nothing against, and changes to it that break a rule.

import { test } from 'node:test';
import { type Change, conf, type Expected, expectFindings, info, warning } from '../conf.ts';

/** Nothing to say against it but what is said in `notes`. */
export interface Fit {
  readonly change: Change;
  readonly notes?: readonly Expected[];
}

/** What general rules say of the algorithms that these platforms have. */
export const weak = (at: string) => warning('weak-algorithm', at, /MODP_1536|MODP_1024/);

const HUAWEI: Fit = {
  change: {
    conn: [
      'proposals = aes256gcm16-prfsha256-modp3072, aes128-sha256-modp3072',
      'rekey_time = 23h',
      'over_time = 1h',
      'retransmit {\n profile = huawei \n}',
    ],
    child: ['esp_proposals = aes256gcm16-modp3072, aes128-sha256-modp3072', 'mss = 1300'],
  },
};
const CLASSIC: Fit = {
  change: {
    conn: ['proposals = aes256-sha256-modp2048, aes128-sha256-modp2048'],
    child: ['esp_proposals = aes256-sha256-modp2048, aes128-sha256-modp2048'],
  },
};
const TENCENT: Fit = {
  change: {
    conn: ['version = 1', 'proposals = aes128-sha1-modp2048'],
    child: ['esp_proposals = aes128-sha1-modp2048'],
  },
};
const UCLOUD: Fit = {
  change: {
    conn: ['proposals = aes128-sha1-modp1024, aes256-sha256-modp2048', 'rekey_time = 23h'],
    child: ['esp_proposals = aes128-sha1-modp1024, aes256-sha1-modp2048', 'rekey_time = 23h'],
  },
  notes: [weak('esp_proposals ='), weak('proposals =')],
};
const TWO_TUNNELS = info('platform-tunnels', 'office', /here there is 1$/);
const JD: Fit = {
  change: { conn: ['proposals = aes256-sha256-modp1536'], child: ['esp_proposals = aes256-sha256-modp1536'] },
  notes: [weak('esp_proposals ='), weak('proposals ='), TWO_TUNNELS],
};
const AWS: Fit = {
  change: {
    conn: ['proposals = aes256gcm16-prfsha384-ecp384'],
    child: ['rekey_time = 54m'],
  },
  notes: [TWO_TUNNELS],
};

export const FITS: Readonly<Record<string, Fit>> = {
  huawei: HUAWEI,
  'huawei-classic': CLASSIC,
  tencent: TENCENT,
  ucloud: UCLOUD,
  jd: JD,
  aws: AWS,
};

/** The change of a platform's own configuration, and what is then found beside its notes. */
export type Row = readonly [platform: string, name: string, change: Change, ...expected: Expected[]];

export function testRows(rows: readonly Row[]): void {
  for (const [platform, name, change, ...expected] of rows) {
    test(`${platform}: ${name}`, () => {
      const { change: own, notes = [] } = FITS[platform] as Fit;
      // A change that touches what a note is about speaks for itself.
      const still = notes.filter(({ at }) => !replaced(change, at));
      expectFindings(conf(merged(own, change)), [...still, ...expected], platform);
    });
  }
}

/** Whether the option that this note is about is another one now. */
function replaced({ conn = [], child = [] }: Change, at: string): boolean {
  const option = at.split(' ')[0] ?? '';
  return [...conn, ...child].some((line) => line.startsWith(`${option} `));
}

function merged(own: Change, change: Change): Change {
  const both = (a: readonly string[] = [], b: readonly string[] = []) => {
    const options = new Set(b.map((line) => line.split(/[ ={]/)[0]));
    return [...a.filter((line) => !options.has(line.split(/[ ={]/)[0])), ...b];
  };
  return { ...own, ...change, conn: both(own.conn, change.conn), child: both(own.child, change.child) };
}
