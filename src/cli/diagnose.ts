import { type FileHandle, open } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { describeError, errorCode } from "../foundation/errors.ts";
import { SettingsError } from "../foundation/settings-file/settings-error.ts";
import { becomeOwnerOf } from "../supervisor/operations/control/at-rest.ts";
import { askSupervisor } from "../supervisor/operations/control/client.ts";
import { readSupervisorEnvironment } from "../supervisor/operations/control/service-unit.ts";
import { makeArchive } from "../supervisor/operations/diagnose/archive.ts";
import { diagnose as collect } from "../supervisor/operations/diagnose/diagnosis.ts";
import { type LoadedSupervisorSettings, loadSupervisorSettings } from "../supervisor/settings/load.ts";
import { exitCode, UsageError } from "./command-line.ts";
import {
  type OperatorCommand,
  parseOperatorOptions,
  stateDirectoryOf,
  tellFailure,
} from "./operator-command.ts";
import { plain } from "./plain-text.ts";
import { version } from "./version.ts";

const answerTimeoutMs = 5_000;

const usage = `Usage: opamp-supervisor diagnose --config FILE [--out FILE.tar.gz] [--json]

Writes one archive with what somebody needs who is to help: status, versions, machine, state files, effective
configuration, supervisor.yaml, ends of the logs, names of environment variables, and how far a connection to the
OpAMP server gets. Works when the supervisor is down, and when its state is damaged or its disk full.

Secrets are hidden: what the settings, the configurations and the state hold as such, and whatever looks like one.
The connection test sends no credentials. Nothing is sent anywhere; look into the archive before you pass it on.

Options:
  --config FILE        settings of the supervisor
  --out FILE.tar.gz    where to; default opamp-diagnose-HOST-TIME.tar.gz here, or in ${tmpdir()} where that cannot be written
  --json               print {"archive": PATH, "bytes": N, "files": N}
  --help               print this text

Exit codes: 0 written, 1 it could not be written, 2 bad usage, or settings that do not even name the state directory
`;

async function run(args: readonly string[]): Promise<number> {
  const { config, positionals, has, textOf } = parseOperatorOptions(args, ["json"], { named: ["out"] });
  if (positionals.length > 0)
    throw new UsageError(`unexpected "${positionals.join(" ")}"; did you mean --out?`);
  const directory = stateDirectoryOf(config);
  try {
    const out = await openArchive(textOf("out"));
    try {
      // Its files may lead anywhere: root is not to put into an archive what the supervisor could not read itself.
      await becomeOwnerOf(directory);
      const loaded = await load(config, directory);
      const status = await askStatus(directory);
      const files = await collect({ version, config, directory, loaded, status });
      const archive = makeArchive(files, Date.now());
      await out.file.writeFile(archive);
      const facts = { archive: out.path, bytes: archive.length, files: files.length };
      const text = `${plain(out.path)}: ${files.length} files, ${Math.ceil(archive.length / 1024)} KiB, secrets hidden`;
      process.stdout.write(`${has("json") ? JSON.stringify(facts) : text}\n`);
      return exitCode.ok;
    } finally {
      await out.file.close();
    }
  } catch (error) {
    return tellFailure(error);
  }
}

async function load(config: string, directory: string): Promise<LoadedSupervisorSettings | Error> {
  try {
    const env = await readSupervisorEnvironment(directory);
    return loadSupervisorSettings(config, { checkOnly: true, ...(env && { env }) });
  } catch (error) {
    if (error instanceof SettingsError) return error;
    throw error;
  }
}

async function askStatus(directory: string): Promise<string> {
  const question = { method: "GET", path: "/v1/status", timeoutMs: answerTimeoutMs } as const;
  const reply = await askSupervisor(directory, question);
  if (reply.t === "answered") return reply.text;
  return JSON.stringify({ verdict: reply.t, ...(reply.t === "silent" && { why: reply.why }) });
}

interface Out {
  file: FileHandle;
  path: string;
}

async function openArchive(out: string | undefined): Promise<Out> {
  if (out !== undefined) return create(resolve(out));
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "");
  const path = resolve(`opamp-diagnose-${hostname()}-${time}Z.tar.gz`);
  try {
    return await create(path);
  } catch (error) {
    process.stderr.write(`${describeError(error)}; writing to ${tmpdir()} instead\n`);
    return create(join(tmpdir(), basename(path)));
  }
}

/** For its owner alone, and never over another file. */
async function create(path: string): Promise<Out> {
  try {
    return { file: await open(path, "wx", 0o600), path };
  } catch (cause) {
    const hint = errorCode(cause) === "EEXIST" ? "it is there already" : "say another place with --out";
    throw new Error(`cannot write ${path} (${hint})`, { cause });
  }
}

export const diagnose: OperatorCommand = { usage, run };
