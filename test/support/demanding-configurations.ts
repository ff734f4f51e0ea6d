/** Configuration of 50 pipelines in about so many bytes. The Collector accepts it; nothing in it listens. */
export function largePipelines(bytes: number): string {
  const pipelines = 50;
  const sections = { processors: "", exporters: "", pipelines: "" };
  for (let n = 0; n < pipelines; n += 1) {
    sections.processors += `  attributes/${n}:\n    actions:\n`;
    sections.processors += fill(bytes / pipelines - 250, (action) => {
      const [first, second] = ["\n      - key: ", "\n        "];
      return `${first.slice(1)}tenant-${action}${second}value: customer-${n}-of-${action}${second}action: upsert\n`;
    });
    sections.exporters += `  debug/${n}:\n    verbosity: basic\n    sampling_initial: 2\n`;
    sections.pipelines += `    traces/${n}:\n      receivers: [nop]\n      processors: [attributes/${n}]\n      exporters: [debug/${n}]\n`;
  }
  const telemetry = "  telemetry:\n    metrics:\n      level: none\n";
  return `receivers:\n  nop:\nprocessors:\n${sections.processors}exporters:\n${sections.exporters}service:\n${telemetry}  pipelines:\n${sections.pipelines}`;
}

/** Repeats what is made of a number until there are so many characters. */
function fill(characters: number, make: (n: number) => string): string {
  const parts: string[] = [];
  for (let n = 0, length = 0; length < characters; n += 1) {
    const part = make(n);
    parts.push(part);
    length += part.length;
  }
  return parts.join("");
}

/** Texts that ask more of a YAML reader than their size suggests, of some so many characters. */
export const demanding: Record<string, (characters: number) => string> = {
  "a list of numbers": (size) => `a: [${"1,".repeat(size / 2)}]\n`,
  "lists of numbers": (size) => fill(size, (n) => `k${n}: [${"1,".repeat(15_000)}]\n`),
  "block lists": (size) => fill(size, (n) => `k${n}:\n${"- a\n".repeat(7000)}`),
  "a map of short keys": (size) => fill(size, (n) => `k${n.toString(36)}:\n`),
  "empty maps": (size) => `a: [${"{},".repeat(size / 3)}]\n`,
  "deep flow lists": (size) => `a: ${"[".repeat(size / 2)}${"]".repeat(size / 2)}\n`,
  "deep block maps": (size) => fill(size, (n) => `${" ".repeat(n)}a:\n`),
  "deep block lists": (size) => `a:\n${"- ".repeat(size / 2)}\n`,
  "deep complex keys": (size) => `${"? ".repeat(size / 2)}\n`,
  "keys nested by ::": (size) => `${fill(size, (n) => `a::${"b::".repeat(90)}k${n}: 1\n`)}`,
  references: (size) => `a: |\n${fill(size, () => `  ${`$\{env:A}`.repeat(10)}\n`)}`,
  "open references": (size) => `a: |\n${fill(size, () => `  ${"${".repeat(50)}\n`)}`,
  anchors: (size) => `a: [${fill(size, (n) => `&${n.toString(36)} x,`)}]\n`,
  "an alias bomb": () =>
    fill(
      5000,
      (n) =>
        `a${n}: &a${n} [${Array(9)
          .fill(n === 0 ? "x" : `*a${n - 1}`)
          .join(",")}]\n`,
    ),
  "aliases of a long text": (size) => `a: &x "${"y".repeat(size / 2)}"\nb: [${"*x,".repeat(size / 6)}]\n`,
  "a quoted text": (size) => `a: "${"x".repeat(size)}"\n`,
  "a secret text": (size) => `password: ${"Xy".repeat(size / 2 - 10)}\n`,
  "a secret key": (size) => `key_pem: |\n${fill(size, (n) => `  ${String(n).padStart(60, "MII")}\n`)}`,
  comments: (size) => `${"# c\n".repeat(size / 4)}a: 1\n`,
  directives: (size) => `${"%A\n".repeat(size / 3)}---\na: 1\n`,
  documents: (size) => "---\n".repeat(size / 4),
};
