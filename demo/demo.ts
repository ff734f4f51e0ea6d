import { parseArgs } from "node:util";
import { Stage } from "./stage.ts";
import { firstStory } from "./stories/first.ts";
import { rolloutStory } from "./stories/rollout.ts";
import type { Story } from "./stories/story.ts";
import { upgradeStory } from "./stories/upgrade.ts";
import { bold, fail, say } from "./voice.ts";

const stories = new Map<string, Story>([
  ["first", firstStory],
  ["upgrade", upgradeStory],
  ["rollout", rolloutStory],
]);

const { values } = parseArgs({
  options: { once: { type: "boolean", default: false }, story: { type: "string", default: "first" } },
});
const story = stories.get(values.story);
if (story === undefined) throw new Error(`no story is called ${values.story}`);

// Before anything is there that would be left behind.
const interrupted = new Promise<"interrupted">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => resolve("interrupted"));
});

const stage = await Stage.set(story);
let code = 0;
try {
  const outcome = await Promise.race([story.tell(stage), stage.failed, interrupted]);
  if (outcome === "interrupted") code = 130;
  else if (!values.once) {
    say(`
${bold("It stays up.")} In another terminal:

${await story.whatNext(stage)}

Ctrl-C stops everything and leaves nothing behind.`);
    await Promise.race([interrupted, stage.failed]);
  }
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
  fail(await stage.lastWords());
  code = 1;
} finally {
  await stage.strike();
}
process.exit(code);
