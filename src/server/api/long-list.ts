import { setImmediate } from "node:timers/promises";

/** So many take some milliseconds: agents are answered between two slices. */
const sliceLength = 400;

/**
 * The JSON of `{[name]: items.map(view), ...rest}`, a line of its own, made piece by piece: all at once, a list of a whole
 * fleet would keep every agent waiting.
 */
export async function longListJson<T>(
  name: string,
  items: readonly T[],
  view: (item: T) => unknown,
  rest: Readonly<Record<string, unknown>>,
): Promise<Buffer> {
  const pieces = [Buffer.from(`{${JSON.stringify(name)}:[`)];
  for (let start = 0; start < items.length; start += sliceLength) {
    if (start > 0) await setImmediate();
    const slice = JSON.stringify(items.slice(start, start + sliceLength).map(view)).slice(1, -1);
    pieces.push(Buffer.from(start > 0 ? `,${slice}` : slice));
  }
  const others = JSON.stringify(rest).slice(1, -1);
  pieces.push(Buffer.from(others === "" ? "]}\n" : `],${others}}\n`));
  return Buffer.concat(pieces);
}
