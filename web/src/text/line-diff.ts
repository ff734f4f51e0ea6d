/** One line of two texts laid over each other. */
export interface DiffLine {
  readonly t: "same" | "added" | "removed";
  readonly text: string;
}

/** Beyond so many steps the texts are told to differ as a whole: nobody reads such a diff. */
const maxDistance = 600;

/** The shortest way from one text to the other, line by line (Myers, 1986). */
export function lineDiff(before: string, after: string): DiffLine[] {
  const a = linesOf(before);
  const b = linesOf(after);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const same = (lines: string[]) => lines.map((text): DiffLine => ({ t: "same", text }));
  return [
    ...same(a.slice(0, start)),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...same(end === 0 ? [] : a.slice(-end)),
  ];
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\r?\n$/, "").split(/\r?\n/);
}

function middle(a: readonly string[], b: readonly string[]): DiffLine[] {
  const trace: Map<number, number>[] = [];
  let frontier = new Map([[1, 0]]);
  const limit = Math.min(a.length + b.length, maxDistance);
  for (let distance = 0; distance <= limit; distance += 1) {
    trace.push(frontier);
    const next = new Map(frontier);
    for (let diagonal = -distance; diagonal <= distance; diagonal += 2) {
      let x = goesDown(frontier, diagonal, distance)
        ? (frontier.get(diagonal + 1) ?? 0)
        : (frontier.get(diagonal - 1) ?? 0) + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x += 1;
      next.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return walkBack(a, b, trace);
    }
    frontier = next;
  }
  return [
    ...a.map((text): DiffLine => ({ t: "removed", text })),
    ...b.map((text): DiffLine => ({ t: "added", text })),
  ];
}

function goesDown(frontier: ReadonlyMap<number, number>, diagonal: number, distance: number): boolean {
  if (diagonal === -distance) return true;
  return diagonal !== distance && (frontier.get(diagonal - 1) ?? 0) < (frontier.get(diagonal + 1) ?? 0);
}

function walkBack(
  a: readonly string[],
  b: readonly string[],
  trace: readonly ReadonlyMap<number, number>[],
): DiffLine[] {
  const lines: DiffLine[] = [];
  let x = a.length;
  let y = b.length;
  for (let distance = trace.length - 1; distance >= 0; distance -= 1) {
    const frontier = trace[distance] as ReadonlyMap<number, number>;
    const diagonal = x - y;
    const from = goesDown(frontier, diagonal, distance) ? diagonal + 1 : diagonal - 1;
    const fromX = distance === 0 ? 0 : (frontier.get(from) ?? 0);
    const fromY = distance === 0 ? 0 : fromX - from;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      lines.push({ t: "same", text: a[x] as string });
    }
    if (distance === 0) break;
    if (x > fromX) lines.push({ t: "removed", text: a[--x] as string });
    else lines.push({ t: "added", text: b[--y] as string });
  }
  return lines.reverse();
}
