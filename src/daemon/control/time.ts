// Times as strongSwan prints them.

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

/** `1 second`, `6 minutes`, `23 hours`: in the largest unit of which there are more than two. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [unit, length] = UNITS.find(([, each]) => whole > 2 * each) ?? ['second', 1];
  const count = Math.floor(whole / length);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function momentAgo(seconds: number): string {
  return pointInTime(new Date(Date.now() - seconds * 1000));
}

/** Local time: `Jul 30 19:13:57 2020`. */
export function pointInTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${MONTHS[date.getMonth()]} ${two(date.getDate())} ${clock} ${date.getFullYear()}`;
}
