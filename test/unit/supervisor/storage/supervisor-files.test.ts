import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type LogFields, silentLogger } from "../../../../src/foundation/logger.ts";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { openSupervisorFiles } from "../../../../src/supervisor/storage/supervisor-files.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const configured = "018fee23-4a51-7303-a441-73faed7d9deb";

async function openFiles(path: string, instanceId: string | undefined, errors: LogFields[] = []) {
  const logger = { ...silentLogger, error: (fields: LogFields) => errors.push(fields) };
  return openSupervisorFiles(path, { clock: new ManualClock(), logger, instanceId, collectorGid: undefined });
}

it("takes the instance UID of the file before the configured one, and that before a new one", async () => {
  const [first, second] = [tempDir(), tempDir()];
  const made = await openFiles(first, undefined);
  const uid = formatInstanceUid(made.instanceUid);
  expect(uid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  await made.close();
  const again = await openFiles(first, configured);
  expect(formatInstanceUid(again.instanceUid)).toBe(uid);
  await again.close();
  const other = await openFiles(second, configured);
  expect(formatInstanceUid(other.instanceUid)).toBe(configured);
  await other.close();
});

it("opens although nothing new can be written, and says so", async () => {
  const path = tempDir();
  // A file cannot take the place of a directory.
  for (const name of ["persistent_state.yaml", "local_link.json"]) await mkdir(join(path, name));
  const errors: LogFields[] = [];
  const files = await openFiles(path, undefined, errors);
  expect(files.instanceUid).toHaveLength(16);
  expect(files.link.value.token).not.toBe("");
  expect(errors.filter(({ event }) => event === "state_not_saved")).toHaveLength(2);
  await files.close();
});

it("clears away what a crash left unfinished", async () => {
  const path = tempDir();
  await mkdir(join(path, "configurations"));
  await writeFile(join(path, "a.0123abcd.tmp"), "");
  await writeFile(join(path, "configurations", "b.0123abcd.tmp"), "");
  const files = await openFiles(path, undefined);
  expect([...(await readdir(path)), ...(await readdir(join(path, "configurations")))]).not.toContainEqual(
    expect.stringMatching(/\.tmp$/),
  );
  await files.close();
});
