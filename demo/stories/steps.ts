import type { AgentView, Stage } from "../stage.ts";
import { done, quote } from "../voice.ts";

/** The supervisor is there, and its Collector well. */
export async function awaitStart(stage: Stage): Promise<AgentView> {
  const { id } = await stage.until("the supervisor connects", () => stage.agent());
  done(`connected: agent ${id}`);
  const agent = await stage.until("the Collector is up", async () => {
    const seen = await stage.agent();
    return seen?.health?.healthy ? seen : undefined;
  });
  done(`a Collector runs: version ${agent.version}, health "${agent.health?.status}"`);
  return agent;
}

/** Pushes a configuration that must be applied. */
export async function apply(stage: Stage, configuration: string): Promise<void> {
  const pushed = performance.now();
  const hash = await stage.push(configuration);
  const verdict = await stage.verdict(hash);
  if (verdict.status !== "APPLIED")
    throw new Error(`expected APPLIED, got ${verdict.status}: ${verdict.error}`);
  done(`pushed ${hash.slice(0, 8)} and APPLIED after ${Math.round(performance.now() - pushed)} ms`);
}

/** The effective configuration, once it has what was pushed. */
export function awaitEffective(stage: Stage, needle: string): Promise<string> {
  return stage.until(`the effective configuration has ${needle}`, async () => {
    const config = (await stage.agent())?.effective_config?.[""];
    return config?.includes(needle) ? config : undefined;
  });
}

/** Shows the pipelines of it. */
export async function showEffective(stage: Stage, needle: string): Promise<void> {
  const text = await awaitEffective(stage, needle);
  done("effective configuration, as the Collector reports it:");
  const [section = text] = /^( *)pipelines:\n(?:\1 .*\n?)*/m.exec(text) ?? [];
  quote(section);
}
