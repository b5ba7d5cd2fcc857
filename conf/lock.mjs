// One holder at a time, across processes: a file with the holder's pid and start time. A lock whose holder is gone is
// taken over; a second caller waits.

import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export async function locked(file, say, work) {
  mkdirSync(dirname(file), { recursive: true });
  await acquire(file, say);
  try {
    return await work();
  } finally {
    unlinkSync(file);
  }
}

async function acquire(file, say) {
  for (let told = false; !tryAcquire(file); ) {
    const holder = read(file);
    if (holder === undefined) continue;
    if (!alive(holder)) {
      takeAway(file, holder);
      continue;
    }
    if (!told) say(`waiting for another set-up (process ${holder.split(' ')[0]})`);
    told = true;
    await sleep(100);
  }
}

/** A link appears with its content, or not at all. */
function tryAcquire(file) {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, identity(process.pid));
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    unlinkSync(own);
  }
}

/** Somebody else may have taken the stale lock away and made a new one since we looked: that one is put back. */
function takeAway(file, stale) {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (read(aside) !== stale) linkSync(aside, file);
  unlinkSync(aside);
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function alive(holder) {
  return identity(Number(holder.split(' ')[0])) === holder;
}

/** The start time tells a process from a later one with the same number (proc(5), /proc/PID/stat, field 22). */
function identity(pid) {
  const stat = read(`/proc/${pid}/stat`);
  const started = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return `${pid} ${started ?? 'gone'}`;
}
