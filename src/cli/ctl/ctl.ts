import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { describeError } from "../../foundation/errors.ts";
import { isLoopback } from "../../foundation/loopback.ts";
import { exitCode, UsageError } from "../command-line.ts";
import { plain } from "../plain-text.ts";
import { agentCommand } from "./agent.ts";
import { agentsCommand } from "./agents.ts";
import { ApiClient, ApiError } from "./api-client.ts";
import { applyCommand } from "./apply.ts";
import { certificatesCommand } from "./certificates.ts";
import { configCommand } from "./config.ts";
import { type CtlCommand, type CtlContext, type CtlOption, parseCtlCall } from "./ctl-command.ts";
import { drillCommand } from "./drill.ts";
import { eventsCommand } from "./events.ts";
import { groupsCommand } from "./groups.ts";
import { labelCommand } from "./label.ts";
import { packagesCommand } from "./packages.ts";
import { restartCommand } from "./restart.ts";
import { rollbackCommand } from "./rollback.ts";
import { rolloutCommand } from "./rollout.ts";
import { rolloutsCommand } from "./rollouts.ts";

const commands: Readonly<Record<string, CtlCommand>> = {
  agents: agentsCommand,
  agent: agentCommand,
  config: configCommand,
  apply: applyCommand,
  packages: packagesCommand,
  certificates: certificatesCommand,
  groups: groupsCommand,
  label: labelCommand,
  restart: restartCommand,
  events: eventsCommand,
  rollouts: rolloutsCommand,
  rollout: rolloutCommand,
  rollback: rollbackCommand,
  drill: drillCommand,
};

const commonOptions: Readonly<Record<string, CtlOption>> = {
  server: {
    type: "string",
    help: "URL    management listener; default $OPAMP_SERVER_URL or http://127.0.0.1:4321",
  },
  token: {
    type: "string",
    help: "TOKEN   API token; default $OPAMP_SERVER_TOKEN, which no other user can see",
  },
  ca: { type: "string", help: "FILE       trust this authority (PEM) instead of the usual ones" },
  cert: { type: "string", help: "FILE     own certificate (PEM), with --key" },
  key: { type: "string", help: "FILE      its private key (PEM)" },
  json: { type: "boolean", help: "          answers as JSON" },
  help: { type: "boolean", help: "          print this text", short: "h" },
};

/** `opamp-server ctl …`: runs one command against a server's management API and resolves to the exit code. */
export async function runCtl(argv: readonly string[]): Promise<number> {
  const { tokens } = parseArgs({ args: [...argv], strict: false, tokens: true, options: commonOptions });
  const name = tokens.find((token) => token.kind === "positional");
  const command = name && Object.hasOwn(commands, name.value) ? commands[name.value] : undefined;
  if (name === undefined || command === undefined) {
    const asked = argv.includes("--help") || argv.includes("-h") || argv.length === 0;
    if (!asked) throw new UsageError(`ctl: unknown command: ${argv.join(" ")}`);
    process.stdout.write(usage());
    return exitCode.ok;
  }
  const args = argv.toSpliced(name.index, 1);
  const call = parseCtlCall(args, { ...commonOptions, ...command.options });
  if (call.has("help")) {
    process.stdout.write(usageOf(command));
    return exitCode.ok;
  }
  const pem = (option: string) => {
    const path = call.text(option);
    return path === undefined ? undefined : readPem(option, path);
  };
  const server = serverUrl(call.text("server") ?? process.env.OPAMP_SERVER_URL);
  const token = call.text("token") ?? process.env.OPAMP_SERVER_TOKEN;
  const context: CtlContext = {
    api: new ApiClient({ server, token, ca: pem("ca"), cert: pem("cert"), key: pem("key") }),
    json: call.has("json"),
    print: (line) => process.stdout.write(`${line}\n`),
    warn: (line) => process.stderr.write(`${line}\n`),
    now: () => Date.now(),
    readFile,
  };
  if (token !== undefined && server.protocol === "http:" && !isLoopback(server.hostname)) {
    context.warn(`warning: the token goes to ${server.host} unencrypted: use https`);
  }
  try {
    return await command.run(context, call);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    context.warn(`opamp-server ctl: ${plain(error.message)}`);
    return exitCode.failed;
  }
}

function serverUrl(text = "http://127.0.0.1:4321"): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new UsageError(`--server ${text}: expected a URL such as https://opamp.example.com:4321`);
}

function readPem(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`--${option} ${path}: ${describeError(error)}`);
  }
}

function usage(): string {
  const width = Math.max(...Object.values(commands).map((command) => command.usage.length));
  const lines = Object.values(commands).map((each) => `  ${each.usage.padEnd(width)}  ${each.summary}`);
  return `Usage: opamp-server ctl COMMAND [OPTIONS]

What operators do, over the management API of an opamp-server.

Commands:
${lines.join("\n")}

Options of every command:
${optionLines(commonOptions)}

A SELECTOR is label conditions such as env=prod,region in (eu, us) || service.version<2.0.0
Exit codes: 0 done, 1 the server refused it or cannot be reached, 2 bad usage
`;
}

function usageOf(command: CtlCommand): string {
  const own = command.options === undefined ? "" : `Options:\n${optionLines(command.options)}\n\n`;
  return `Usage: opamp-server ctl ${command.usage}

${command.summary}

${own}Options of every command:
${optionLines(commonOptions)}
`;
}

function optionLines(options: Readonly<Record<string, CtlOption>>): string {
  return Object.entries(options)
    .map(([name, { help, short }]) => `  ${short === undefined ? "" : `-${short}, `}--${name} ${help}`)
    .join("\n");
}
