// What programs need of the system, in Debian's words: libraries from their headers, versions from their symbols.

import { spawnSync } from 'node:child_process';

const PACKAGES = [
  [/^(lib(c|m|dl|pthread|rt)|ld-linux.*)\.so\.\d+$/, 'libc6', /^GLIBC_([\d.]+)$/],
  [/^libstdc\+\+\.so\.6$/, 'libstdc++6', /^GLIBCXX_3\.4\.(\d+)$/],
  [/^libgcc_s\.so\.1$/, 'libgcc-s1', /^$/],
];

/** The GCC that first had a GLIBCXX_3.4.N (https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html). */
const GCC = {
  21: '5',
  22: '6',
  23: '7',
  24: '7',
  25: '8',
  26: '9',
  27: '9',
  28: '9',
  29: '11',
  30: '12',
  31: '13',
  32: '13',
  33: '14',
  34: '15',
};

export function dependencies(programs) {
  const newest = new Map();
  for (const program of programs) {
    const { needed, versions } = headers(program);
    for (const library of needed) {
      const known = PACKAGES.find(([name]) => name.test(library));
      if (!known) throw new Error(`${program} needs ${library}, which no dependency of the package provides`);
      const [, name, symbol] = known;
      const wanted = versions.map((version) => symbol.exec(version)?.[1]).filter((version) => version !== undefined);
      newest.set(name, [...(newest.get(name) ?? []), ...wanted].sort(older).slice(-1));
    }
  }
  return [...newest].sort().map(([name, [version]]) => {
    const least = name === 'libstdc++6' && version !== undefined ? (GCC[version] ?? '5') : version;
    return least === undefined ? name : `${name} (>= ${least})`;
  });
}

function older(a, b) {
  return a.localeCompare(b, 'en', { numeric: true });
}

function headers(program) {
  const done = spawnSync('objdump', ['-p', program], { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (done.status !== 0) throw new Error(`objdump (package binutils): ${done.error?.message ?? done.stderr}`);
  return {
    needed: [...done.stdout.matchAll(/^\s+NEEDED\s+(\S+)$/gm)].map(([, name]) => name),
    versions: [...done.stdout.matchAll(/^\s+0x\S+ 0x\S+ \d+ (\S+)$/gm)].map(([, name]) => name),
  };
}
