/** Durations for people: `45s`, `3m12s`, `2h05m`, `3d04h`. Pure. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The two largest units; negative values (clocks differ) count as zero. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole}s`;
  if (whole < HOUR) return two(whole, MINUTE, 'm', 1, 's');
  if (whole < DAY) return two(whole, HOUR, 'h', MINUTE, 'm');
  return two(whole, DAY, 'd', HOUR, 'h');
}

/** How long ago an ISO time was; `now` in ms since 1970. */
export function formatSince(time: string, now: number = Date.now()): string {
  return formatDuration((now - Date.parse(time)) / 1000);
}

function two(seconds: number, big: number, bigName: string, small: number, smallName: string): string {
  const rest = Math.floor((seconds % big) / small);
  return `${Math.floor(seconds / big)}${bigName}${String(rest).padStart(2, '0')}${smallName}`;
}
