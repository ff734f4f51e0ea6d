const colour = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const paint = (code: number) => (text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
const green = paint(32);
const red = paint(31);

const begin = performance.now();

/** A line for the reader, as it is. */
export function say(text: string): void {
  console.log(text);
}

/** What is about to happen. */
export function announce(text: string): void {
  console.log(`\n${bold(text)}`);
}

/** Something that truly happened, with the time since the demo began. */
export function done(text: string): void {
  const seconds = ((performance.now() - begin) / 1000).toFixed(2).padStart(6);
  console.log(`${dim(`${seconds}s`)} ${green("✔")} ${text}`);
}

export function fail(text: string): void {
  console.error(`${red("✖")} ${text}`);
}

/** Lines under a step, set apart. */
export function quote(text: string): void {
  for (const line of text.trimEnd().split("\n")) console.log(dim(`        │ ${line}`));
}
