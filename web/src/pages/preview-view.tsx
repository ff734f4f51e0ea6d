import { count, counted, Hash } from "../parts/text.tsx";
import { hrefTo } from "../route.ts";

/** What a push would do, as the server answers it. */
export interface Preview {
  config_hash: string;
  matched: number;
  strategy: string;
  stages: { name: string; adds: number; agents: string[] }[];
  blocked: number;
  reasons: Record<string, number>;
  unreachable: number;
  nothing_below: number;
}

/** Agents named of a stage before one would rather not read them. */
const named = 30;

export function PreviewView({ preview }: { preview: Preview }) {
  const { blocked, config_hash, matched, nothing_below, reasons, stages, unreachable } = preview;
  return (
    <div aria-live="polite">
      <p>
        {counted(matched, "agent")} would get <Hash value={config_hash} />.
      </p>
      <ol class="preview">
        {stages.map(({ adds, agents, name }, index) => (
          <li key={`${index} ${name}`}>
            <details>
              <summary>
                {name}: {adds === 0 ? "adds nobody" : counted(adds, "agent")}
              </summary>
              <ul>
                {agents.slice(0, named).map((id) => (
                  <li key={id}>
                    <a class="mono" href={hrefTo(["agents", id])}>
                      {id}
                    </a>
                  </li>
                ))}
                {adds > Math.min(named, agents.length) && (
                  <li>and {count(adds - Math.min(named, agents.length))} more</li>
                )}
              </ul>
            </details>
          </li>
        ))}
      </ol>
      {blocked > 0 && (
        <p>
          {counted(blocked, "agent")} cannot get it:{" "}
          {Object.entries(reasons)
            .map(([reason, times]) => `${count(times)} ${reason}`)
            .join("; ")}
          .
        </p>
      )}
      {unreachable > 0 && (
        <p>{counted(unreachable, "agent")} cannot be reached now and get it when they come back.</p>
      )}
      {nothing_below > 0 && (
        <p>
          <b>{counted(nothing_below, "agent")}</b> had no configuration of this server before: there is
          nothing to roll them back to.
        </p>
      )}
    </div>
  );
}
