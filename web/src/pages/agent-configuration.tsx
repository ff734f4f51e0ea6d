import { useState } from "preact/hooks";
import type { AgentDetail } from "../api/types.ts";
import { DiffView } from "../parts/diff-view.tsx";
import { Hash } from "../parts/text.tsx";
import { YamlText } from "../parts/yaml.tsx";
import { hrefTo } from "../route.ts";

/** What an agent is to have. */
export interface Desired {
  configuration: { config_hash: string; rollout: string | null; entries: Record<string, string> } | null;
  packages: { packages_hash: string; rollout: string | null; packages: Record<string, string> } | null;
}

const views = { effective: "What runs", desired: "What is desired", diff: "Difference" } as const;
type View = keyof typeof views;

/** What runs, what is to run, and how they differ. */
export function AgentConfiguration({ agent, desired }: { agent: AgentDetail; desired: Desired | undefined }) {
  const [view, setView] = useState<View>("effective");
  const effective = joined(agent.effective_config);
  const wanted = joined(desired?.configuration?.entries ?? null);
  const rollout = desired?.configuration?.rollout ?? null;
  return (
    <>
      <div class="section-tools">
        <fieldset class="switch">
          <legend class="unseen">Shown</legend>
          {Object.entries(views).map(([name, title]) => (
            <button
              key={name}
              type="button"
              aria-pressed={view === name}
              onClick={() => setView(name as View)}
            >
              {title}
            </button>
          ))}
        </fieldset>
        <p class="faint">
          Desired <Hash value={agent.desired_config_hash} />
          {rollout !== null && (
            <>
              {" "}
              by <a href={hrefTo(["rollouts", rollout])}>its rollout</a>
            </>
          )}
        </p>
      </div>
      {view === "effective" &&
        (effective === undefined ? (
          <p class="faint">It does not report what it runs.</p>
        ) : (
          <YamlText text={effective} label="Effective configuration" />
        ))}
      {view === "desired" &&
        (wanted === undefined ? (
          <p class="faint">Nothing is desired of it.</p>
        ) : (
          <YamlText text={wanted} label="Desired configuration" />
        ))}
      {view === "diff" &&
        (effective === undefined || wanted === undefined ? (
          <p class="faint">There is only one side to compare.</p>
        ) : (
          <>
            <p class="faint">
              From what runs (−) to what is desired (+). A supervisor adds parts of its own, and a Collector
              reports values it has filled in, so that lines can differ where nothing drifts: the hashes
              decide.
            </p>
            <DiffView before={effective} after={wanted} />
          </>
        ))}
    </>
  );
}

/** All entries as one text, each under its name where it has one. */
function joined(entries: Readonly<Record<string, string>> | null): string | undefined {
  if (entries === null) return undefined;
  const texts = Object.entries(entries).map(([name, text]) => (name === "" ? text : `# ${name}\n${text}`));
  return texts.length === 0 ? undefined : texts.join("\n");
}
