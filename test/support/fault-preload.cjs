// Loaded into the supervisor by NODE_OPTIONS: sends it a signal at an exact point of its work on disk, which
// no test could hit from outside. The program itself knows nothing of it.
const fs = require("node:fs");

let writes = 0;
let sent = false;

const { rename } = fs.promises;
fs.promises.rename = async (from, to) => {
  await rename(from, to);
  if (sent || !fs.existsSync(process.env.OPAMP_TEST_FAULT ?? "")) return;
  /** @type {{ step?: string, write?: number, since?: string, journal?: string, signal: NodeJS.Signals }} */
  const fault = JSON.parse(fs.readFileSync(process.env.OPAMP_TEST_FAULT ?? "", "utf8"));
  const entry = String(to).endsWith(`/${fault.journal ?? "journal.json"}`)
    ? JSON.parse(fs.readFileSync(to, "utf8"))
    : undefined;
  const begins =
    fault.since === undefined ? entry?.step === "staging" : String(to).endsWith(`/${fault.since}`);
  if (writes > 0 || begins) writes += 1;
  sent = fault.step === undefined ? writes === fault.write : entry?.step === fault.step;
  if (sent) process.kill(process.pid, fault.signal);
};
