import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AskCollector } from "../server/configurations/collector-check.ts";
import type { ValidationSettings } from "../server/settings/server-settings.ts";
import { validateConfiguration } from "../supervisor/collector/validate.ts";

/**
 * Has the program of `validation.collector` validate configurations, in a process of its own that is ended when it takes
 * too long. They may hold secrets, so they go by files that only this user can read, and the process sees nothing of our environment
 * but where programs are.
 */
export function askCollector({ collector, timeoutMs }: ValidationSettings): AskCollector | undefined {
  if (collector === undefined) return undefined;
  return async (texts) => {
    const directory = await mkdtemp(join(tmpdir(), "opamp-server-validate-"));
    try {
      const [first = "", ...others] = texts.map((_, index) => join(directory, `${index}.yaml`));
      for (const [index, text] of texts.entries()) {
        await writeFile(join(directory, `${index}.yaml`), text, { mode: 0o600 });
      }
      return await validateConfiguration({
        executable: collector,
        configPath: first,
        args: others.flatMap((path) => ["--config", path]),
        env: { PATH: process.env.PATH },
        cwd: directory,
        timeoutMs,
      });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  };
}
