/** Unchanged lines shown around a change. */
const context = 3;

/** The lines of `after` against those of `before`, marked with `+`, `-` or a space; none when they are the same. */
export function diffLines(before: string, after: string): string[] {
  const marked = markLines(before.trimEnd().split("\n"), after.trimEnd().split("\n"));
  const changes = marked.flatMap((line, index) => (line.startsWith(" ") ? [] : [index]));
  const isNear = (index: number) => changes.some((change) => Math.abs(change - index) <= context);
  const shown: string[] = [];
  for (const [index, line] of marked.entries()) {
    if (isNear(index)) shown.push(line);
    else if (shown.length > 0 && shown.at(-1) !== "...") shown.push("...");
  }
  if (shown.at(-1) === "...") shown.pop();
  return shown;
}

/** By the longest common subsequence, which is what people see as unchanged. */
function markLines(before: readonly string[], after: readonly string[]): string[] {
  const width = after.length + 1;
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
