import { useEffect, useRef, useState } from "preact/hooks";
import type { AgentRow } from "../api/types.ts";
import { hrefTo } from "../route.ts";
import { Problem } from "./page.tsx";
import { Status, type StatusKind } from "./status.tsx";
import { Ago, count, Hash } from "./text.tsx";
import { type Rows, useRows } from "./use-rows.ts";

/** As the style sheet has it. */
const rowHeight = 36;
const spare = 12;
/** The first row moves by so many at once: fewer drawings while one scrolls. */
const step = 6;

export interface Sorting {
  by: string;
  order: "ascending" | "descending";
}

export interface AgentTableProps {
  /** Parameters of the API, without those of the window. */
  query: string;
  sorting: Sorting;
  onSort: (sorting: Sorting) => void;
  onAnswer: (answer: Pick<Rows, "total" | "problem">) => void;
}

const columns = [
  { by: "name", title: "Agent" },
  { by: "state", title: "State" },
  { by: "version", title: "Version" },
  { by: "config_hash", title: "Configuration" },
  { by: undefined, title: "Labels" },
  { by: "last_seen", title: "Last heard" },
] as const;

/** Agents by the thousand: only those in sight are in the page. */
export function AgentTable({ query, sorting, onSort, onAnswer }: AgentTableProps) {
  const box = useRef<HTMLDivElement>(null);
  const [first, setFirst] = useState(0);
  const [seen, setSeen] = useState(20);
  const { rowAt, total, problem } = useRows(query, first, first + seen + 2 * spare);

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setSeen(Math.ceil(element.clientHeight / rowHeight) + step));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  // Another query begins at its top.
  useEffect(() => {
    box.current?.scrollTo(0, 0);
  }, [query]);
  useEffect(() => onAnswer({ total, problem }), [total, problem, onAnswer]);

  const all = total ?? 0;
  const start = Math.min(first, Math.max(0, all - 1));
  const end = Math.min(all, first + seen + 2 * spare);
  return (
    <>
      <Problem text={problem?.kind.endsWith("selector") ? undefined : problem?.text} />
      <div
        class="table-box"
        ref={box}
        role="region"
        aria-label="Agents"
        tabIndex={0}
        onScroll={(event) => {
          const top = Math.floor(event.currentTarget.scrollTop / rowHeight) - spare;
          setFirst(Math.max(0, Math.floor(top / step) * step));
        }}
      >
        <table class="agents" aria-rowcount={all + 1}>
          <thead>
            <tr aria-rowindex={1}>
              {columns.map(({ by, title }) => (
                <Heading key={title} by={by} title={title} sorting={sorting} onSort={onSort} />
              ))}
            </tr>
          </thead>
          <tbody>
            <Gap rows={start} />
            {Array.from({ length: Math.max(0, end - start) }, (_, offset) => {
              const index = start + offset;
              return <Row key={index} index={index} row={rowAt(index)} />;
            })}
            <Gap rows={all - end} />
          </tbody>
        </table>
        {total === 0 && <p class="empty">No agent is like that.</p>}
      </div>
    </>
  );
}

function Heading({
  by,
  title,
  sorting,
  onSort,
}: { by: string | undefined; title: string } & Pick<AgentTableProps, "sorting" | "onSort">) {
  const name = `col-${title.toLowerCase().replace(" ", "-")}`;
  if (by === undefined) {
    return (
      <th scope="col" class={name}>
        {title}
      </th>
    );
  }
  const isSorted = sorting.by === by;
  const order = isSorted && sorting.order === "ascending" ? "descending" : "ascending";
  return (
    <th scope="col" class={name} aria-sort={isSorted ? sorting.order : "none"}>
      <button type="button" class="sort" onClick={() => onSort({ by, order })}>
        {title}
        <span class={isSorted ? `arrow arrow-${sorting.order}` : "arrow"} aria-hidden="true" />
      </button>
    </th>
  );
}

function Gap({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr class="gap">
      <td style={{ height: `${rows * rowHeight}px` }} />
    </tr>
  );
}

function Row({ row, index }: { row: AgentRow | undefined; index: number }) {
  if (row === undefined) {
    return (
      <tr aria-rowindex={index + 2} class="row">
        <td class="faint">…</td>
      </tr>
    );
  }
  const { kind, text } = stateOf(row);
  const labels = Object.entries(row.labels)
    .filter(([, value]) => value !== row.name && value !== row.version)
    .map(([name, value]) => `${name}=${value}`)
    .join("  ");
  return (
    <tr aria-rowindex={index + 2} class="row">
      <th scope="row" class="col-agent">
        <a href={hrefTo(["agents", row.id])} title={row.id}>
          {row.name}
        </a>
      </th>
      <td class="col-state" title={row.status}>
        <Status kind={kind}>{text}</Status>
      </td>
      <td class="col-version">{row.version ?? <span class="faint">unknown</span>}</td>
      <td class="col-configuration">
        <Hash value={row.config_hash} /> <ConfigurationNote row={row} />
      </td>
      <td class="col-labels mono" title={labels}>
        {labels}
      </td>
      <td class="col-last-heard">
        <Ago at={row.last_seen} />
      </td>
    </tr>
  );
}

function stateOf({ connected, healthy }: AgentRow): { kind: StatusKind; text: string } {
  if (!connected) return { kind: "idle", text: "Disconnected" };
  if (healthy === null) return { kind: "idle", text: "Not told" };
  return healthy ? { kind: "ok", text: "Healthy" } : { kind: "bad", text: "Unhealthy" };
}

function ConfigurationNote({ row }: { row: AgentRow }) {
  if (row.failed) return <Status kind="bad">failed</Status>;
  if (row.config_status === "APPLYING") return <Status kind="busy">applying</Status>;
  if (row.drifting) return <Status kind="warning">drifting</Status>;
  return null;
}

/** How many there are, for who cannot see it. */
export function TotalNote({ total, problem }: Pick<Rows, "total" | "problem">) {
  if (problem !== undefined) return null;
  return (
    <p class="faint total" role="status">
      {total === undefined ? "Loading…" : `${count(total)} shown`}
    </p>
  );
}
