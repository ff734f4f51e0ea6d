// `npm test`: gets the clone ready, runs every check and every test, and ends with their count.
// With the name of a vitest project (unit, e2e, interop) only its tests; further arguments go to vitest.
import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { collectorPath } from "./collector.mjs";
import { runInForeground } from "./foreground.mjs";
import { report, run, step, UserError } from "./progress.mjs";
import { ensureBuild, ensureDependencies, projectEnvironment, projectNode, root } from "./setup.mjs";

const vitestProjects = ["unit", "e2e", "interop"];
/** How long a process may take to end after the tests before it counts as left behind. */
const exitGraceMs = 3_000;

const [first, ...others] = process.argv.slice(2);
const only = vitestProjects.includes(first) ? first : undefined;
const vitestArgs = only ? others : process.argv.slice(2);
const count = { passed: 0, failed: 0 };

try {
  await ensureDependencies();
  await ensureBuild();
  const collectors = only === "unit" ? {} : await findCollectors();
  if (only === undefined) await runChecks();
  // Without a Collector only the unit tests mean anything.
  await runVitest({ projects: only ?? (collectors ? undefined : "unit"), env: collectors ?? {} });
} catch (error) {
  fail(error instanceof UserError ? error.message : (error?.stack ?? String(error)));
}
// A run of nothing proves nothing.
if (count.passed + count.failed === 0) fail("no test ran");
process.exitCode = count.failed === 0 ? 0 : 1;
process.stdout.write(`${count.passed} passed, ${count.failed} failed\n`);

function fail(message) {
  count.failed += 1;
  report(`✖ ${message}`);
}

/** What the tests find the Collectors by; undefined if there is none at all. */
async function findCollectors() {
  let OTELCOL;
  try {
    OTELCOL = await collectorPath();
    const OTELCOL_SECOND = process.env.OTELCOL_SECOND ?? (await collectorPath({ variant: "second" }));
    const OTELCOL_FEWER = process.env.OTELCOL_FEWER ?? (await collectorPath({ variant: "fewer" }));
    return { OTELCOL, OTELCOL_SECOND, OTELCOL_FEWER };
  } catch (error) {
    if (OTELCOL === undefined) {
      fail(`the tests with a real Collector cannot run: ${error.message}`);
      return undefined;
    }
    report(`▲ the tests that need another build of the Collector will fail: ${error.message}`);
    return { OTELCOL };
  }
}

/** Every `check:` script of package.json counts as one. */
async function runChecks() {
  const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  for (const [name, command] of Object.entries(scripts)) {
    if (!name.startsWith("check:")) continue;
    try {
      await step(name, () => run("sh", ["-c", command], { cwd: root, env: projectEnvironment() }));
      count.passed += 1;
    } catch (error) {
      fail(`${name}: ${error.message}`);
    }
  }
}

async function runVitest({ projects, env }) {
  const runId = randomUUID();
  const temp = await mkdtemp(join(tmpdir(), "opamp-test-run-"));
  try {
    const resultFile = join(temp, "result.json");
    const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${resultFile}`];
    if (projects) args.push("--project", projects);
    const code = await runInForeground(
      projectNode(),
      ["node_modules/vitest/vitest.mjs", ...args, ...vitestArgs],
      { cwd: root, env: projectEnvironment({ ...env, OPAMP_TEST_RUN: runId }) },
    );
    await countResults(resultFile, code);
  } finally {
    await rm(temp, { recursive: true, force: true });
    for (const { pid, command } of await endLeftovers(`OPAMP_TEST_RUN=${runId}`)) {
      fail(`a test left process ${pid} behind: ${command}`);
    }
  }
}

async function countResults(resultFile, code) {
  const result = await readFile(resultFile, "utf8").then(JSON.parse, () => undefined);
  if (result === undefined) return fail(`vitest wrote no result (exit ${code})`);
  const brokenFiles = result.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((test) => test.status === "failed"),
  );
  const failed = result.numFailedTests + brokenFiles.length;
  count.passed += result.numPassedTests;
  count.failed += failed;
  if (result.numPendingTests + result.numTodoTests > 0) {
    report(`▲ ${result.numPendingTests + result.numTodoTests} tests were skipped`);
  }
  if (result.numPassedTests + failed === 0) fail("no test ran");
  else if (code !== 0 && failed === 0) fail(`vitest failed outside of any test (exit ${code}), see above`);
}

/** Kills what still carries the mark of this run in its environment, and resolves to what it was. */
async function endLeftovers(mark) {
  const deadline = performance.now() + exitGraceMs;
  let left = await processesWith(mark);
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(100);
    left = await processesWith(mark);
  }
  for (const { pid } of left) process.kill(pid, "SIGKILL");
  return left;
}

async function processesWith(mark) {
  const found = [];
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (!environment.split("\0").includes(mark)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    found.push({ pid: Number(pid), command: command.replaceAll("\0", " ").trim() });
  }
  return found;
}
