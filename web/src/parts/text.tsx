import { useEffect, useState } from "preact/hooks";

/** The beginning of a hash; all of it for who asks. */
export function Hash({ value }: { value: string | null | undefined }) {
  if (!value) return <span class="faint">none</span>;
  return (
    <code class="hash" title={value}>
      {value.slice(0, 10)}
    </code>
  );
}

/** How long ago, in words that stay true. */
export function Ago({ at }: { at: string }) {
  const now = useNow(10_000);
  return (
    <time dateTime={at} title={new Date(at).toLocaleString()}>
      {ago(Date.parse(at), now)}
    </time>
  );
}

/** The time of day, and the day where it is another one. */
export function Clock({ at }: { at: string }) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  const time = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = date.toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
  return (
    <time dateTime={at} title={date.toString()}>
      {isToday ? time : `${day}, ${time}`}
    </time>
  );
}

/** The time, anew each so many milliseconds. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), everyMs);
    return () => window.clearInterval(timer);
  }, [everyMs]);
  return now;
}

const units = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
] as const;

function ago(at: number, now: number): string {
  const seconds = Math.round((now - at) / 1000);
  if (seconds < 10) return "just now";
  return `${duration(seconds)} ago`;
}

/** `90` as `2 min`: one unit, rounded. */
export function duration(seconds: number): string {
  for (const [length, unit] of units) if (seconds >= length) return `${Math.round(seconds / length)} ${unit}`;
  return `${Math.max(0, Math.round(seconds))} s`;
}

const numbers = new Intl.NumberFormat("en");

export function count(value: number): string {
  return numbers.format(value);
}

/** `1 agent`, `2 agents`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}
