import { useCallback, useState } from "preact/hooks";
import { withQuery } from "../api/client.ts";
import type { Overview } from "../api/types.ts";
import { useLive } from "../live.ts";
import { AgentTable, type Sorting, TotalNote } from "../parts/agent-table.tsx";
import { Page, Problem, Section } from "../parts/page.tsx";
import { SelectorField } from "../parts/selector-field.tsx";
import { Status, type StatusKind } from "../parts/status.tsx";
import { count, Hash } from "../parts/text.tsx";
import type { Rows } from "../parts/use-rows.ts";
import { hrefTo, replaceWith, useRoute } from "../route.ts";

const figures: readonly { is: keyof Overview["counts"]; title: string; kind: StatusKind; about: string }[] = [
  { is: "agents", title: "Agents", kind: "idle", about: "heard so far" },
  { is: "connected", title: "Connected", kind: "ok", about: "can be reached now" },
  { is: "disconnected", title: "Disconnected", kind: "warning", about: "cannot be reached" },
  { is: "healthy", title: "Healthy", kind: "ok", about: "connected, and say so" },
  { is: "unhealthy", title: "Unhealthy", kind: "bad", about: "connected, and say so" },
  { is: "drifting", title: "Drifting", kind: "warning", about: "do not run what they are to have" },
  { is: "failed", title: "Failed", kind: "bad", about: "could not use their last offer" },
];

export function FleetPage() {
  const { query } = useRoute();
  const [answer, setAnswer] = useState<Pick<Rows, "total" | "problem">>({
    total: undefined,
    problem: undefined,
  });
  const onAnswer = useCallback((next: Pick<Rows, "total" | "problem">) => setAnswer(next), []);
  const isWrong = answer.problem?.kind.endsWith("selector") ?? false;
  const overview = useLive<Overview>(
    withQuery("/api/v1/overview", { selector: isWrong ? undefined : query.selector }),
    {
      wants: ({ type }) => type !== "rollout.changed",
    },
  );
  const sorting: Sorting = {
    by: query.sort ?? "name",
    order: query.order === "descending" ? "descending" : "ascending",
  };
  const show = (changed: Record<string, string | undefined>) =>
    replaceWith(hrefTo([], { ...query, ...changed }));
  const path = withQuery("", {
    selector: query.selector,
    is: query.is,
    version: query.version,
    config_hash: query.config_hash,
    sort: sorting.by,
    order: sorting.order,
  }).slice(1);
  // "Of none" is an empty parameter, which withQuery leaves out.
  const ofNone = [
    query.version === "none" && "version=",
    query.config_hash === "none" && "config_hash=",
  ].filter(Boolean);
  const cleaned =
    ofNone.length === 0
      ? path
      : `${path.replaceAll(/(version|config_hash)=none&?/g, "")}&${ofNone.join("&")}`;

  return (
    <Page title="Fleet">
      <Problem text={isWrong ? undefined : overview.problem} />
      <Figures overview={overview.data} query={query} />
      <div class="columns">
        <Section title="By version">
          <Distribution
            groups={overview.data?.versions.map(({ version, agents }) => ({
              key: version ?? "none",
              label: version ?? "not told",
              agents,
              query: { version: version ?? "none" },
            }))}
            {...{ query }}
          />
        </Section>
        <Section title="By configuration that runs">
          <Distribution
            groups={overview.data?.configurations.map(({ config_hash, agents, drifting }) => ({
              key: config_hash ?? "none",
              label: config_hash === null ? "none of this server’s" : <Hash value={config_hash} />,
              agents,
              note: drifting === 0 ? undefined : `${count(drifting)} drifting`,
              query: { config_hash: config_hash ?? "none" },
            }))}
            {...{ query }}
          />
        </Section>
      </div>
      <Section title="Agents" aside={<TotalNote {...answer} />}>
        <div class="filters">
          <SelectorField
            label="Filter by labels"
            value={query.selector ?? ""}
            problem={isWrong ? answer.problem?.text : undefined}
            onChange={(selector) => show({ selector })}
          />
          <Filters query={query} onRemove={(name) => show({ [name]: undefined })} />
        </div>
        <AgentTable
          query={cleaned}
          sorting={sorting}
          onSort={({ by, order }) => show({ sort: by, order })}
          onAnswer={onAnswer}
        />
      </Section>
    </Page>
  );
}

type Query = Readonly<Record<string, string>>;

function Figures({ overview, query }: { overview: Overview | undefined; query: Query }) {
  return (
    <ul class="figures">
      {figures.map(({ is, title, kind, about }) => {
        const value = overview?.counts[is];
        const wanted = is === "agents" ? undefined : is;
        return (
          <li key={is}>
            <a
              class="figure"
              href={hrefTo([], { selector: query.selector, is: wanted })}
              aria-current={query.is === wanted ? "true" : undefined}
            >
              <Status kind={value ? kind : "idle"}>{title}</Status>
              <strong>{value === undefined ? "–" : count(value)}</strong>
              <span class="faint">{about}</span>
            </a>
          </li>
        );
      })}
    </ul>
  );
}

interface Group {
  key: string;
  label: preact.ComponentChildren;
  agents: number;
  note?: string | undefined;
  query: Record<string, string>;
}

/** Groups shown before one asks for more. */
const fewGroups = 5;

function Distribution({ groups, query }: { groups: readonly Group[] | undefined; query: Query }) {
  const [isWhole, setWhole] = useState(false);
  if (groups === undefined) return <p class="faint">Loading…</p>;
  if (groups.length === 0) return <p class="faint">No agents yet.</p>;
  const most = Math.max(1, ...groups.map(({ agents }) => agents));
  const shown = isWhole ? groups : groups.slice(0, fewGroups);
  return (
    <>
      <ul class="bars">
        {shown.map((group) => (
          <li key={group.key}>
            <a href={hrefTo([], { selector: query.selector, ...group.query })}>
              <span class="bar-label">
                {group.label}
                {group.note !== undefined && <span class="faint"> {group.note}</span>}
              </span>
              <span class="bar-count">{count(group.agents)}</span>
              <span class="bar" aria-hidden="true">
                <span style={{ width: `${(100 * group.agents) / most}%` }} />
              </span>
            </a>
          </li>
        ))}
      </ul>
      {groups.length > fewGroups && (
        <button type="button" class="quiet" onClick={() => setWhole(!isWhole)}>
          {isWhole ? "Fewer" : `All ${groups.length}`}
        </button>
      )}
    </>
  );
}

const filterTitles: Record<string, string> = { is: "Only", version: "Version", config_hash: "Configuration" };

function Filters({ query, onRemove }: { query: Query; onRemove: (name: string) => void }) {
  const active = Object.entries(filterTitles).filter(([name]) => query[name] !== undefined);
  if (active.length === 0) return null;
  return (
    <ul class="chips" aria-label="Filters">
      {active.map(([name, title]) => (
        <li key={name}>
          <button
            type="button"
            class="chip"
            onClick={() => onRemove(name)}
            aria-label={`Remove filter ${title} ${query[name]}`}
          >
            {title} <b>{(query[name] ?? "").slice(0, 24)}</b> <span aria-hidden="true">×</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
