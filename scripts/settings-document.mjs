// The text of docs/settings.md: every key of both settings files, from the schemas and from the comments of the example
// files. Runs on a Node that takes TypeScript.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { serverFile } from "../src/server/settings/schema.ts";
import { supervisorFile } from "../src/supervisor/settings/schema.ts";
import { readComments } from "./settings-comments.mjs";
import { SettingsProbe } from "./settings-probe.mjs";
import { root } from "./setup.mjs";

const pair = { cert_file: "c", key_file: "k" };
const console = { exporter: { console: {} } };
const otlp = { protocol: "grpc" };
const files = [
  {
    name: "supervisor.yaml",
    intro:
      "Keys marked **ours** are not in the Go `opampsupervisor`, which refuses a file that has them. All others are spelled as it spells them.",
    schema: supervisorFile(() => true),
    base: { server: { endpoint: "ws://h" }, agent: { executable: "/e" } },
    companions: {
      "server.headers_command": { command: ["c"] },
      "server.oauth2": { token_url: "https://h", client_id: "i", client_secret: "s" },
      "healthcheck.tls": pair,
      "telemetry.logs.processors[0].batch": console,
      "telemetry.logs.processors[0].batch.exporter.otlp": otlp,
      "telemetry.metrics.readers[0].periodic": console,
      "telemetry.metrics.readers[0].periodic.exporter.otlp": otlp,
    },
    guesses: [10_000, 30_000, 60_000, "localhost", 9464, 1],
    /** Sections with the keys of another one, which has the words. */
    same: {
      "healthcheck.tls": "server.tls",
      "server.oauth2.tls": "server.tls",
      "packages.proxy": "server.proxy",
    },
    /** Lists and maps of kinds that are explained elsewhere: the processors of logs. */
    known: /^telemetry\.(traces\.processors|logs\.processors\[0\]\.simple\.exporter|traces\.sampler\.)/,
  },
  {
    name: "server.yaml",
    intro: "All keys are optional: an empty file is a server that works.",
    schema: serverFile,
    base: {},
    companions: {
      "opamp.tls": pair,
      "management.tls": pair,
      packages: { directory: "d" },
      "certificates.authority": pair,
      "access.oidc": { issuer: "https://h", audience: "a" },
      "access.agents.jwt": { secret_file: "s" },
    },
    guesses: [],
    same: { "management.tls": "opamp.tls" },
    known: /^$/,
  },
];

const head = `# Settings

Made by \`npm run settings-reference\` from the schemas of both programs and the comments in
[supervisor.example.yaml](../supervisor.example.yaml) and [server.example.yaml](../server.example.yaml). Change it there. How to
write references such as \`\${env:NAME}\`, durations and sizes stands at the top of these files.

\`\`\`
opamp-supervisor validate --config supervisor.yaml     # names every wrong key, with its line
opamp-server validate --config server.yaml
\`\`\`

A dash in the column "default" means that nothing is set, or that the text says what then counts.
`;

/** As Markdown. */
export function settingsDocument() {
  return [head, ...files.map(fileText)].join("\n");
}

function fileText({ name, intro, schema, base, companions, guesses, same, known }) {
  const probe = new SettingsProbe(schema, base, companions);
  const sections = collectSections(probe, known);
  const isSection = (path) => sections.has(path);
  const isKey = (path) => sections.get(parentOf(path))?.includes(lastOf(path)) ?? false;
  const comments = readComments(readFileSync(join(root, name.replace(".", ".example.")), "utf8"), {
    isKey,
    isSection,
  });
  const blocks = [...sections]
    .filter(([path]) => path !== "")
    .map(([path, keys]) => {
      const leaves = keys.map((key) => `${path}.${key}`).filter((key) => !isSection(key));
      const nothing = keys.length === 0 ? "It has no keys." : "";
      const about = cell(sentence(comments.get(path)?.text ?? nothing));
      const mark = isOurs(path, comments) ? ", ours" : "";
      const rows = leaves.map((key) => row(key, { probe, comments, guesses, same }));
      if (rows.length + about.length === 0 && keys.length > 0) return undefined;
      const table =
        rows.length === 0
          ? []
          : [["| key | value | default | what it does |", "| --- | --- | --- | --- |", ...rows].join("\n")];
      return [
        `### ${path.replaceAll("[0]", "[]")} (${name}${mark})`,
        ...(about === "" ? [] : [about]),
        ...table,
      ].join("\n\n");
    });
  const parts = [`## ${name}`, intro, ...blocks.filter((block) => block !== undefined)];
  return `${parts.join("\n\n")}\n`;
}

/** Path of each section, and its keys; a file begins with "". */
function collectSections(probe, known) {
  const found = new Map();
  const visit = (path) => {
    const keys = probe.keysOf(path);
    if (keys === undefined) return visitKinds(path);
    found.set(path, keys);
    for (const key of keys) visit(path === "" ? key : `${path}.${key}`);
  };
  /** A map of one key that says what stands there, or a list of such maps. */
  const visitKinds = (path) => {
    const [, list, kinds] = /^(list of: )?an? [a-z ]+: one of (.*)$/.exec(probe.typeOf(path)) ?? [];
    if (kinds === undefined || known.test(`${path}.`)) return;
    for (const kind of kinds.split(", ")) visit(`${path}${list === undefined ? "" : "[0]"}.${kind}`);
  };
  visit("");
  return found;
}

function row(path, { probe, comments, guesses, same }) {
  const type = probe.typeOf(path);
  const comment = comments.get(path);
  const standard = probe.defaultOf(path, candidatesOf(type, comment?.value, guesses));
  const shown = standard === undefined ? "–" : code(standard);
  const mark = isOurs(path, comments) && !isOurs(parentOf(path), comments) ? " **ours**" : "";
  return `| \`${lastOf(path)}\`${mark} | ${cell(type) || "any"} | ${shown} | ${cell(wordsOf(path, comments, same, standard))} |`;
}

/** Those of a closed choice, and what the example shows. */
function candidatesOf(type, example, guesses) {
  if (type === "true or false") return [false, true];
  // A reference stands for nothing where nothing is set.
  const shown = example === undefined || String(example).includes("$") ? guesses : [example];
  if (type === "") return [];
  return [...shown, ...(/^one of (.*)$/.exec(type)?.[1].split(", ") ?? []), []];
}

function wordsOf(path, comments, same, standard) {
  const [section, model] = Object.entries(same).find(([each]) => path.startsWith(`${each}.`)) ?? [];
  const comment = comments.get(path);
  if (comment === undefined || comment.text === "") {
    if (section !== undefined) return `As \`${model}${path.slice(section.length)}\`.`;
    const before = describedAbove(comments, comment?.follows, parentOf(path));
    if (before !== undefined) return `With \`${lastOf(before)}\`.`;
  }
  const { text = "", value } = comment ?? {};
  const isExample = standard === undefined && value !== undefined && typeof value !== "boolean";
  return isExample ? `${sentence(text)} Such as ${code(value)}.`.trim() : sentence(text);
}

/** The key whose comment is about those right below it as well. */
function describedAbove(comments, path, section) {
  if (path === undefined || parentOf(path) !== section) return undefined;
  const { text, follows } = comments.get(path);
  return text === "" ? describedAbove(comments, follows, section) : path;
}

function isOurs(path, comments) {
  if (path === "") return false;
  return comments.get(path)?.addition === true || isOurs(parentOf(path), comments);
}

const parentOf = (path) => path.split(".").slice(0, -1).join(".");
const lastOf = (path) => path.split(".").at(-1);
const code = (value) => `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
const cell = (text) => text.replaceAll(/[|<]/g, "\\$&").replaceAll(/\bdocs\/([\w-]+\.md)/g, "[$1]($1)");
const sentence = (text) => (text === "" || /[.:]$/.test(text) ? text : `${text}.`);
