import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { parseCommandLine } from "../../../src/cli/command-line.ts";
import { runCtl } from "../../../src/cli/ctl/ctl.ts";
import { findOperatorCommand } from "../../../src/cli/operator-command-names.ts";
import { runOperatorCommand } from "../../../src/cli/operator-commands.ts";
import { runStoreCommand, storeCommandNames } from "../../../src/cli/store-commands.ts";
import { codeBlocks, inlineCode, programOf, readDocuments, shellCommands } from "../../support/documents.ts";

interface Quoted {
  place: string;
  command: string[];
}

/** Commands in blocks without a language, and in the text where they have a word behind the program. */
const commands: Quoted[] = readDocuments().flatMap((document) => [
  ...codeBlocks(document)
    .filter(({ language }) => language === "" || language === "sh")
    .flatMap(({ text, place }) => shellCommands(text).map((command) => ({ place, command }))),
  // The inline code of ARCHITECTURE.md is names, some of them of two words.
  ...(document.path === "ARCHITECTURE.md" ? [] : inlineCode(document))
    .flatMap((text) => shellCommands(text))
    .map((command) => ({ place: document.path, command })),
]);

const scripts = Object.keys(
  (JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> }).scripts,
);

/** What a program says of itself. */
async function helpOf(run: () => Promise<unknown>): Promise<string> {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);
  try {
    await run();
  } finally {
    write.mockRestore();
  }
  return lines.join("");
}

/** What is wrong with a call of one of the programs; undefined where it would be taken. */
async function fault(command: readonly string[]): Promise<string | undefined> {
  const [program = "", ...args] = command;
  if (programOf(program) === "npm" && args[0] === "run")
    return scripts.includes(args[1] ?? "") ? undefined : `no script ${args[1]}`;
  // A template of the calls that there are, as usage texts have it.
  const call = args.filter((word) => !/^[[(|…]|[\])|]$/.test(word));
  if (programOf(program) === "opamp-supervisor") return await supervisorFault(call);
  if (programOf(program) !== "opamp-server") return undefined;
  const [first, ...rest] = call;
  const store = storeCommandNames.find((name) => name === first);
  if (store !== undefined)
    return wordsFault(rest, await helpOf(() => runStoreCommand(store, ["--help"])), false);
  return first === "ctl" ? await ctlFault(rest) : plainFault(call);
}

async function supervisorFault(args: string[]): Promise<string | undefined> {
  const operator = findOperatorCommand(args.includes("validate") ? [...args, "--with-collector"] : args);
  if (operator === undefined) return plainFault(args);
  const help = await helpOf(() => runOperatorCommand(operator.name, ["--help"]));
  return wordsFault(operator.args, help, operator.name === "quarantine" || operator.name === "keys");
}

async function ctlFault([name = "", ...args]: string[]): Promise<string | undefined> {
  try {
    const help = await helpOf(() => runCtl([name, "--help"]));
    // It answers an unknown command with a list of those there are.
    if (!name.startsWith("-") && !help.startsWith(`Usage: opamp-server ctl ${name}`))
      return `no command ${name}`;
    return wordsFault(args, help, /^(config|rollout|drill|packages|groups)$/.test(name));
  } catch (error) {
    return String(error);
  }
}

/** Each option has to be in the usage, and the first word where it chooses what is done. */
function wordsFault(args: readonly string[], help: string, hasSubcommands: boolean): string | undefined {
  const known = new Set(help.match(/--?[a-z][a-z-]*|[a-z]+/g));
  const [first] = args.filter((word) => !word.startsWith("-"));
  const chosen = hasSubcommands && first !== undefined ? first.split("|") : [];
  const options = args.filter((word) => word.startsWith("-")).map((word) => word.split("=")[0] ?? "");
  const unknown = [...chosen, ...options].filter((word) => !known.has(word));
  return unknown.length === 0 ? undefined : `unknown: ${unknown.join(" ")}`;
}

function plainFault(args: string[]): string | undefined {
  try {
    parseCommandLine(args[0] === "validate" && args.length === 1 ? [...args, "--config", "FILE"] : args);
    return undefined;
  } catch (error) {
    return String(error);
  }
}

describe("commands in the documents", () => {
  const ours = commands.filter(({ command }) =>
    /^(opamp-(supervisor|server)|npm)$/.test(programOf(command[0] ?? "")),
  );

  it("are found", () => {
    expect(ours.length).toBeGreaterThan(60);
    const lines = ours.map(({ command }) => command.join(" "));
    expect(lines).toContain("npm run demo");
    expect(lines.some((line) => line.startsWith("opamp-server ctl rollout watch"))).toBe(true);
    expect(lines.some((line) => line.startsWith("opamp-supervisor keys rotate --key"))).toBe(true);
  });

  it("are such as the programs take, with options that they have", async () => {
    const faults: string[] = [];
    for (const { place, command } of ours) {
      const found = await fault(command);
      if (found !== undefined) faults.push(`${place}: ${command.join(" ")}: ${found}`);
    }
    expect(faults).toEqual([]);
  });

  it.each([
    "npm run nothing",
    "opamp-supervisor reboot --config f",
    "opamp-supervisor status --config f --loud",
    "opamp-supervisor quarantine forget --config f",
    "opamp-supervisor keys sing --key f",
    "opamp-supervisor validate --confg f",
    "opamp-server --confg f",
    "opamp-server backup FILE --confg f",
    "opamp-server ctl agnets",
    "opamp-server ctl rollout wach ID",
    "opamp-server ctl agents --loud",
  ])("%s would be found", async (line) => {
    expect(await fault(line.split(" "))).toBeDefined();
  });
});
