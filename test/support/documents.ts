import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** One Markdown file of the project. */
export interface MarkdownDocument {
  /** From the project's folder. */
  path: string;
  text: string;
}

/** A fenced block of a document. */
export interface CodeBlock {
  /** What stands behind the fence: language, and the name of the file that it is of. */
  language: string;
  file: string | undefined;
  text: string;
  /** `PATH:LINE`, for messages. */
  place: string;
}

/** All that a user may read. */
export function readDocuments(): MarkdownDocument[] {
  const paths = ["*.md", "docs/*.md", "packaging/**/*.md"].flatMap((pattern) => globSync(pattern));
  return paths.toSorted().map((path) => ({ path, text: readFileSync(path, "utf8") }));
}

export function codeBlocks({ path, text }: MarkdownDocument): CodeBlock[] {
  const blocks = text.matchAll(/^ *```([^\n`]*)\n(.*?)^ *```$/gms);
  return [...blocks].map(({ 1: info = "", 2: content = "", index }) => {
    const [language = "", file] = info.trim().split(/\s+/);
    const line = text.slice(0, index).split("\n").length;
    return { language, file, text: content, place: `${path}:${line}` };
  });
}

/** The words of a document that are neither links nor code blocks: inline code. */
export function inlineCode({ text }: MarkdownDocument): string[] {
  const prose = text.replaceAll(/^ *```.*?^ *```$/gms, "");
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
}

/** What is wrong with the relative links of a document: files and headings that there are not. */
export function brokenLinks({ path, text }: MarkdownDocument): string[] {
  const prose = text.replaceAll(/^ *```.*?^ *```$/gms, "").replaceAll(/`[^`\n]*`/g, "");
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [file = "", anchor] = target.split("#");
      const to = file === "" ? path : join(dirname(path), file);
      if (!existsSync(to)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(to, "utf8")).has(anchor);
    });
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of text.replaceAll(/^ *```.*?^ *```$/gms, "").matchAll(/^#+ (.+)$/gm)) {
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = words.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
    let anchor = slug;
    for (let again = 1; anchors.has(anchor); again += 1) anchor = `${slug}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The simple commands of a shell text: continued lines joined, comments gone, each as its words. */
export function shellCommands(text: string): string[][] {
  const lines = text.replaceAll(/\\\n\s*/g, " ").split("\n");
  return lines
    .flatMap((line) => line.replace(/(^|\s)#.*$/, "").split(/\s(?:&&|\|\||[;|])\s/))
    .map(words)
    .filter((command) => command.length > 0);
}

function words(line: string): string[] {
  const found = line.trim().matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g);
  return [...found].map(([word]) => word.replaceAll(/['"]/g, ""));
}

/** The program that a word of a command names. */
export const programOf = (word: string) => basename(word);
