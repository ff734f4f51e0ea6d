// `opamp-supervisor-take-over`: puts this supervisor in the place of an installed reference supervisor, with its
// settings, the last remote configuration and the identity of the host. Bundled into libexec/take-over.cjs.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isSeq, parseDocument } from "yaml";

const usage = `Usage: opamp-supervisor-take-over [--config FILE] [--dry-run]

Stops the reference supervisor (opampsupervisor.service) and starts opamp-supervisor.service in its place, with its
settings, its last configuration and its instance UID. Its own files stay as they are. If opamp-supervisor does not
start, everything is put back.

  --config FILE   settings of the reference; default: what its service uses
  --dry-run       check the settings and say what would be done
  --help          print this text
`;

const reference = {
  service: "opampsupervisor.service",
  environment: "/etc/opampsupervisor/opampsupervisor.conf",
  settings: "/etc/opampsupervisor/config.yaml",
  /** What it uses when its settings do not say. */
  storage: "/var/lib/otelcol/supervisor",
};
const own = {
  service: "opamp-supervisor.service",
  user: "opamp-supervisor",
  environment: "/etc/opamp-supervisor/environment",
  settings: "/etc/opamp-supervisor/supervisor.yaml",
  storage: "/var/lib/opamp-supervisor",
  program: "/opt/opamp-supervisor/bin/opamp-supervisor",
};
/** The first is the identity; agent.log and effective.yaml are made again. */
const stateFiles = [
  "persistent_state.yaml",
  "last_recv_remote_config.dat",
  "last_recv_own_telemetry_config.dat",
];

/** Its message is all there is to say. */
class Refusal extends Error {}

try {
  takeOver();
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`opamp-supervisor-take-over: ${error.message}\n`);
  process.exitCode = 1;
}

function takeOver() {
  const { values } = parseArgs({
    options: { config: { type: "string" }, "dry-run": { type: "boolean" }, help: { type: "boolean" } },
  });
  if (values.help) return say(usage.trimEnd());
  if (process.getuid() !== 0) throw new Refusal("only root can do this");
  refuseIfUsed();
  const variables = readEnvironment();
  const source = values.config ?? configOption(variables.OPAMP_OPTIONS) ?? reference.settings;
  const { text, storage, notes } = translate(source);
  const files = stateFiles.filter((name) => existsSync(join(storage, name)));
  checkSettings(text, variables);
  say(`settings: ${source} is valid; it becomes ${own.settings}`);
  for (const note of notes) say(`settings: ${note}`);
  say(`state: ${files.length === 0 ? `none in ${storage}` : `${files.join(", ")} from ${storage}`}`);
  if (values["dry-run"]) return say("nothing was changed");
  replace({ text, storage, files, variables });
  say(
    `opamp-supervisor runs in the place of ${reference.service}, which is stopped and disabled. The way back:`,
  );
  say(`  systemctl disable --now ${own.service} && systemctl enable --now ${reference.service}`);
}

function refuseIfUsed() {
  for (const path of [own.settings, join(own.storage, stateFiles[0])]) {
    if (existsSync(path)) {
      throw new Refusal(
        `${path} is there: opamp-supervisor is in use here. Move it away to take over all the same`,
      );
    }
  }
}

/** What the reference's service gets, in systemd's format as far as it is used. */
function readEnvironment() {
  if (!existsSync(reference.environment)) return {};
  const lines = readFileSync(reference.environment, "utf8").matchAll(
    /^[ \t]*([A-Za-z_]\w*)=(["']?)(.*)\2[ \t]*$/gm,
  );
  return Object.fromEntries([...lines].map(([, name, , value]) => [name, value]));
}

function configOption(options = "") {
  return /(?:^|\s)--?config[= ](\S+)/.exec(options)?.[1];
}

/** The reference's settings with what has to differ, comments and references kept. */
function translate(source) {
  const settings = parse(source);
  const storage = settings.getIn(["storage", "directory"]) ?? reference.storage;
  if (typeof storage !== "string" || storage.includes("$")) {
    throw new Refusal(`${source}: write out storage.directory, which is a reference, and try again`);
  }
  settings.setIn(["storage", "directory"], own.storage);
  const notes = [`storage.directory is now ${own.storage}`];
  const outputs = settings.getIn(["telemetry", "logs", "output_paths"]);
  const paths = isSeq(outputs) ? outputs.toJSON() : typeof outputs === "string" ? outputs.split(",") : [];
  if (paths.some((path) => path !== "stdout" && path !== "stderr")) {
    settings.deleteIn(["telemetry", "logs", "output_paths"]);
    notes.push(
      `telemetry.logs.output_paths is left out: the log goes to the journal (${paths.join(", ")} before)`,
    );
  }
  return { text: settings.toString({ lineWidth: 0 }), storage, notes };
}

function parse(source) {
  let text;
  try {
    text = readFileSync(source, "utf8");
  } catch (error) {
    throw new Refusal(`${source}: the settings of the reference cannot be read (${error.code})`);
  }
  const settings = parseDocument(text);
  const [problem] = settings.errors;
  if (problem !== undefined) throw new Refusal(`${source}: ${problem.message}`);
  return settings;
}

/** As the service's user, who may not be able to read what the reference's can. */
function checkSettings(text, variables) {
  const path = `${own.settings}.new`;
  try {
    writeFileSync(path, text, { mode: 0o640 });
    chownSync(path, 0, groupId());
    const asUser = ["--reuid", own.user, "--regid", own.user, "--init-groups", own.program];
    const { status, stdout, stderr } = spawnSync("setpriv", [...asUser, "validate", "--config", path], {
      encoding: "utf8",
      env: { ...variables, PATH: process.env.PATH },
    });
    if (status !== 0) throw new Refusal(`opamp-supervisor cannot use these settings:\n${stderr || stdout}`);
    if (stderr) say(stderr.trimEnd());
  } finally {
    rmSync(path, { force: true });
  }
}

function replace({ text, storage, files, variables }) {
  systemctl("disable", "--now", reference.service);
  const undo = [() => systemctl("enable", "--now", reference.service)];
  try {
    for (const name of files) {
      const path = join(own.storage, name);
      undo.push(() => rmSync(path, { force: true }));
      copyFileSync(join(storage, name), path);
      chmodSync(path, 0o600);
      chownSync(path, userId(), groupId());
    }
    const before = existsSync(own.environment) ? readFileSync(own.environment, "utf8") : "";
    undo.push(() => writeFileSync(own.environment, before, { mode: 0o640 }));
    writeFileSync(own.environment, before + environmentText(variables), { mode: 0o640 });
    writeFileSync(`${own.settings}.new`, text, { mode: 0o640 });
    chownSync(`${own.settings}.new`, 0, groupId());
    undo.push(() => rmSync(own.settings, { force: true }));
    renameSync(`${own.settings}.new`, own.settings);
    undo.push(() => systemctl("stop", own.service));
    const { status } = systemctl("start", own.service);
    if (status !== 0) throw new Refusal(`${own.service} did not start: journalctl -u ${own.service}`);
  } catch (error) {
    for (const step of undo.toReversed()) step();
    throw new Refusal(`${error.message}\neverything is as before, ${reference.service} runs again`);
  }
}

function environmentText(variables) {
  const others = Object.entries(variables).filter(([name]) => name !== "OPAMP_OPTIONS");
  return others.map(([name, value]) => `${name}="${value}"\n`).join("");
}

function systemctl(...args) {
  return spawnSync("systemctl", args, { stdio: ["ignore", "inherit", "inherit"] });
}

function userId() {
  return idOf("-u");
}

function groupId() {
  return idOf("-g");
}

function idOf(option) {
  const { stdout } = spawnSync("id", [option, own.user], { encoding: "utf8" });
  if (!/^\d+\n$/.test(stdout ?? ""))
    throw new Refusal(`there is no user ${own.user}: is the package installed?`);
  return Number(stdout);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
