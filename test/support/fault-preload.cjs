// Loaded into the supervisor by NODE_OPTIONS: sends it a signal at an exact point of its work on disk, which
// no test could hit from outside. The program itself knows nothing of it.
const fs = require("node:fs");

/** @type {{ step?: string, write?: number, signal?: NodeJS.Signals }} */
const fault = JSON.parse(fs.readFileSync(process.env.OPAMP_TEST_FAULT ?? "", "utf8"));
let counting = false;
let writes = 0;
let sent = false;

const { rename } = fs.promises;
fs.promises.rename = async (from, to) => {
  await rename(from, to);
  const entry = String(to).endsWith("/journal.json") ? JSON.parse(fs.readFileSync(to, "utf8")) : undefined;
  counting ||= entry?.step === "staging";
  if (counting) writes += 1;
  const here = fault.step === undefined ? writes === fault.write : entry?.step === fault.step;
  if (!here || sent) return;
  sent = true;
  process.kill(process.pid, fault.signal);
};
