/** The first line of a text, for where one line is all that fits. */
export function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
