import { firstLine } from "../foundation/first-line.ts";

/** Control characters, which in text of others could be commands to the terminal. */
const control = /\p{Cc}|\p{Bidi_Control}/gu;

/** One line of text from elsewhere, as it may be printed. */
export function plain(text: string): string {
  return text.replaceAll(control, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(2, "0");
    return character === "\t" ? " " : `\\x${code}`;
  });
}

/** The first line of it. */
export function plainLine(text: string): string {
  return plain(firstLine(text));
}

/** `3d 4h`, `2h 5m`, `45s`: two units, which is as exact as one cares for. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const units = [
    ["d", Math.floor(whole / 86_400)],
    ["h", Math.floor(whole / 3_600) % 24],
    ["m", Math.floor(whole / 60) % 60],
    ["s", whole % 60],
  ] as const;
  const first = units.findIndex(([, value]) => value > 0);
  if (first < 0) return "0s";
  const shown = units.slice(first, first + 2).filter(([, value]) => value > 0);
  return shown.map(([unit, value]) => `${value}${unit}`).join(" ");
}

/** `2026-01-01 12:00:00Z (3h ago)`, or `(in 3h)`. */
export function formatTime(iso: string, now: number): string {
  const text = `${iso.slice(0, 19).replace("T", " ")}Z`;
  const past = (now - Date.parse(iso)) / 1_000;
  return `${text} (${past < 0 ? `in ${formatDuration(-past)}` : `${formatDuration(past)} ago`})`;
}

/** Digits of a hash that are shown, and enough to name it by. */
const shownDigits = 12;

/** Each hash in it cut to its first digits. */
export function shortHash(hash: string): string {
  return plain(hash).replaceAll(/[0-9a-f]{13,}/g, (digits) => digits.slice(0, shownDigits));
}
