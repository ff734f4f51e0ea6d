/** Unchanged lines shown around a change. */
const context = 3;

/** So many lines against so many others are compared; beyond that all that differs is one change. */
const maxCells = 4_000_000;

/**
 * The lines of `after` against those of `before` as hunks of the unified format (marked with `+`, `-` or a space, under
 * `@@ -LINE,COUNT +LINE,COUNT @@`); none when they are the same.
 */
export function diffLines(before: string, after: string): string[] {
  const marked = markLines(before.trimEnd().split("\n"), after.trimEnd().split("\n"));
  const changes = marked.flatMap((line, index) => (line.startsWith(" ") ? [] : [index]));
  const shown = new Set(
    changes.flatMap((change) =>
      Array.from({ length: 2 * context + 1 }, (_, each) => change - context + each),
    ),
  );
  const lines: string[] = [];
  let [oldLine, newLine] = [1, 1];
  for (let index = 0; index < marked.length; index += 1) {
    if (shown.has(index) && (index === 0 || !shown.has(index - 1))) {
      const hunk = marked.slice(index, endOfHunk(index, marked.length, shown));
      const counts = ["+", "-"].map((other) => hunk.filter((line) => !line.startsWith(other)).length);
      lines.push(`@@ -${oldLine},${counts[0]} +${newLine},${counts[1]} @@`);
    }
    const line = marked[index] ?? "";
    if (shown.has(index)) lines.push(line);
    if (!line.startsWith("+")) oldLine += 1;
    if (!line.startsWith("-")) newLine += 1;
  }
  return lines;
}

function endOfHunk(from: number, length: number, shown: ReadonlySet<number>): number {
  let end = from;
  while (end < length && shown.has(end)) end += 1;
  return end;
}

/** What both begin and end with takes no comparing. */
function markLines(before: readonly string[], after: readonly string[]): string[] {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const same = (lines: readonly string[]) => lines.map((line) => ` ${line}`);
  return [
    ...same(before.slice(0, head)),
    ...markChanged(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...same(before.slice(before.length - tail)),
  ];
}

/** By the longest common subsequence, which is what people see as unchanged. */
function markChanged(before: readonly string[], after: readonly string[]): string[] {
  const width = after.length + 1;
  if ((before.length + 1) * width > maxCells) {
    return [...before.map((line) => `-${line}`), ...after.map((line) => `+${line}`)];
  }
  // Lengths of the longest common subsequences of the ends that begin at (row, column).
  const lengths = new Uint32Array((before.length + 1) * width);
  const at = (row: number, column: number) => lengths[row * width + column] ?? 0;
  for (let row = before.length - 1; row >= 0; row -= 1) {
    for (let column = after.length - 1; column >= 0; column -= 1) {
      lengths[row * width + column] =
        before[row] === after[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const marked: string[] = [];
  let [row, column] = [0, 0];
  while (row < before.length || column < after.length) {
    if (row < before.length && column < after.length && before[row] === after[column]) {
      marked.push(` ${before[row]}`);
      row += 1;
      column += 1;
    } else if (
      row < before.length &&
      (column >= after.length || at(row + 1, column) >= at(row, column + 1))
    ) {
      marked.push(`-${before[row]}`);
      row += 1;
    } else {
      marked.push(`+${after[column]}`);
      column += 1;
    }
  }
  return marked;
}
