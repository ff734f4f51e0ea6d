import type { HealthView } from "../api/types.ts";
import { Status } from "../parts/status.tsx";
import { Ago } from "../parts/text.tsx";

/** What an agent says of itself and of each of its components. */
export function HealthTree({ health, name = "Collector" }: { health: HealthView; name?: string }) {
  return (
    <ul class="tree">
      <Node health={health} name={name} />
    </ul>
  );
}

function Node({ health, name }: { health: HealthView; name: string }) {
  // What is not well comes first.
  const parts = Object.entries(health.components ?? {}).sort(
    ([nameA, a], [nameB, b]) => Number(a.healthy) - Number(b.healthy) || nameA.localeCompare(nameB),
  );
  const ill = parts.filter(([, part]) => !part.healthy).length;
  return (
    <li>
      <Status kind={health.healthy ? "ok" : "bad"}>
        <span class="tree-name">{name}</span> {health.status || (health.healthy ? "healthy" : "unhealthy")}
      </Status>
      {health.status_time !== undefined && (
        <span class="faint">
          {" "}
          <Ago at={health.status_time} />
        </span>
      )}
      {health.last_error !== undefined && <pre class="words">{health.last_error}</pre>}
      {parts.length > 0 && (
        <details open={ill > 0 || parts.length <= 8}>
          <summary>
            {parts.length} {parts.length === 1 ? "part" : "parts"}
            {ill > 0 && `, ${ill} not well`}
          </summary>
          <ul>
            {parts.map(([each, part]) => (
              <Node key={each} name={each} health={part} />
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}
