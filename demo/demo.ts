import { rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Stage } from "./stage.ts";
import { tellStory } from "./story.ts";
import { bold, dim, fail, say } from "./voice.ts";

const { values } = parseArgs({ options: { once: { type: "boolean", default: false } } });

const stage = await Stage.set();
let code = 0;
const interrupted = new Promise<"interrupted">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve("interrupted"));
});

try {
  const outcome = await Promise.race([tellStory(stage), stage.failed, interrupted]);
  if (outcome !== "interrupted" && !values.once) {
    say(`
${bold("It stays up.")} In another terminal:

  ${dim("# who is out there, and what does it run?")}
  curl -s ${stage.managementUrl}api/v1/agents
  ${dim("# give it a configuration of yours, or a bad one")}
  curl -s --data-binary @collector.yaml ${stage.managementUrl}api/v1/config
  ${dim("# kill the Collector and look again: same configuration, data flowing")}
  kill -9 ${stage.collectorPid()}
  ${dim("# what the Collector says")}
  tail -f ${stage.directory}/state/agent.log

Ctrl-C stops everything and leaves nothing behind.`);
    await Promise.race([interrupted, stage.failed]);
  }
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
  fail(await stage.lastWords());
  code = 1;
} finally {
  await stage.strike();
  await rm(stage.directory, { recursive: true, force: true });
}
process.exit(code);
