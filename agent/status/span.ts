/** `3 min ago`, of two times in seconds. */
export const ago = (atS: number, nowS: number): string => `${span(nowS - atS)} ago`;

/** A time that people can take in: `12 s`, `3 min`, `5 h`, `2 d`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7_200) return `${Math.round(whole / 60)} min`;
  return whole < 172_800 ? `${Math.round(whole / 3_600)} h` : `${Math.round(whole / 86_400)} d`;
}
