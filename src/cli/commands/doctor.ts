// `espalier doctor`: what this host lacks, and the command that mends each thing.

import { examine } from '../../daemon/doctor/doctor.ts';
import type { Patient } from '../../daemon/doctor/verdict.ts';
import { DONE, FAILED, type Io } from '../io.ts';
import { verdictLines } from '../render/verdicts.ts';

export interface DoctorArguments extends Patient {
  readonly json: boolean;
  /** What is in order, too. */
  readonly all: boolean;
}

export async function doctor({ json, all, ...patient }: DoctorArguments, io: Io): Promise<number> {
  const verdicts = await examine(patient);
  const healthy = verdicts.every(({ health }) => health !== 'problem');
  if (json) io.out(JSON.stringify({ ok: healthy, verdicts }, undefined, 2));
  else for (const line of verdictLines(verdicts, all, io)) io.out(line);
  return healthy ? DONE : FAILED;
}
