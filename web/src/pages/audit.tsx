import { useEffect, useId, useRef, useState } from "preact/hooks";
import { describe, request, withQuery } from "../api/client.ts";
import { useLive } from "../live.ts";
import { Page, Problem, Waiting } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Clock, count } from "../parts/text.tsx";
import { hrefTo, replaceWith } from "../route.ts";
import { mayDo } from "../session.ts";

interface AuditEntry {
  number: number;
  at: string;
  actor: string;
  by: string;
  role: string;
  address: string;
  action: string;
  target: string;
  outcome: "done" | "refused";
  before?: unknown;
  after?: unknown;
  reason: string | null;
}

interface Verified {
  intact: boolean;
  first_broken: number | null;
}

const pageLength = 100;
const pauseMs = 250;

export function AuditPage({ text }: { text: string }) {
  const allowed = mayDo("operator");
  const path = withQuery("/api/v1/audit", { text, limit: pageLength });
  const { data, problem } = useLive<{ entries: AuditEntry[] }>(allowed ? path : undefined, {
    wants: ({ type }) => type === "rollout.changed",
  });
  const [older, setOlder] = useState<{ path: string; entries: AuditEntry[]; isAll: boolean }>({
    path,
    entries: [],
    isAll: false,
  });
  const more = older.path === path ? older : { path, entries: [], isAll: false };
  const entries = [...(data?.entries ?? []), ...more.entries];
  const [failed, setFailed] = useState<string>();
  const readOn = async () => {
    try {
      const before = entries.at(-1)?.number;
      const next = await request<{ entries: AuditEntry[] }>(
        withQuery("/api/v1/audit", { text, limit: pageLength, before }),
      );
      setOlder({
        path,
        entries: [...more.entries, ...next.entries],
        isAll: next.entries.length < pageLength,
      });
    } catch (error) {
      setFailed(describe(error));
    }
  };
  return (
    <Page title="Audit" aside={allowed && <Verify />}>
      {!allowed && <p>The audit log is shown to operators and admins.</p>}
      {allowed && <Search text={text} />}
      <Problem text={problem ?? failed} />
      {allowed && data === undefined && problem === undefined && <Waiting />}
      {data !== undefined && entries.length === 0 && <p class="empty">Nothing on record is like that.</p>}
      <ol class="history">
        {entries.map((entry) => (
          <Entry key={entry.number} entry={entry} />
        ))}
      </ol>
      {data !== undefined && data.entries.length === pageLength && !more.isAll && (
        <button type="button" onClick={() => void readOn()}>
          Earlier entries
        </button>
      )}
    </Page>
  );
}

function Search({ text }: { text: string }) {
  const timer = useRef<number | undefined>(undefined);
  const id = useId();
  useEffect(() => () => window.clearTimeout(timer.current), []);
  return (
    <div class="field">
      <label for={id}>Search</label>
      <input
        id={id}
        type="search"
        autoComplete="off"
        defaultValue={text}
        placeholder="Who, what, which, why"
        onInput={(event) => {
          const wanted = event.currentTarget.value.trim();
          window.clearTimeout(timer.current);
          timer.current = window.setTimeout(() => replaceWith(hrefTo(["audit"], { text: wanted })), pauseMs);
        }}
      />
    </div>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const { action, actor, address, after, at, before, by, number, outcome, reason, role, target } = entry;
  const details = { ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
  return (
    <li>
      <div class="history-line">
        <span class="history-time">
          <Clock at={at} />
        </span>
        <Status kind={outcome === "done" ? "ok" : "bad"}>{outcome}</Status>
        <span>
          <b>{actor || "nobody"}</b>{" "}
          <span class="faint">{[role, by, address].filter(Boolean).join(", ")}</span>
        </span>
        <span class="faint">no. {count(number)}</span>
      </div>
      <p class="mono wrap">
        {action} <span class="faint">{target}</span>
      </p>
      {reason !== null && <p class="wrap">“{reason}”</p>}
      {Object.keys(details).length > 0 && (
        <details>
          <summary>What changed</summary>
          <pre class="words">{JSON.stringify(details, undefined, 2)}</pre>
        </details>
      )}
    </li>
  );
}

/** Whether the chain of entries is whole, asked of the server. */
function Verify() {
  const [result, setResult] = useState<string>();
  const verify = async () => {
    setResult("Reading every entry…");
    try {
      const { first_broken, intact } = await request<Verified>("/api/v1/audit/verify");
      setResult(
        intact
          ? "Every entry fits the one before it."
          : `Entry ${first_broken} does not fit the one before it.`,
      );
    } catch (error) {
      setResult(describe(error));
    }
  };
  return (
    <div class="buttons">
      <span class="faint" role="status">
        {result}
      </span>
      <button type="button" onClick={() => void verify()}>
        Verify
      </button>
    </div>
  );
}
