import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem, describe, isAbort, request } from "../api/client.ts";
import { onEvent } from "../api/events.ts";
import type { AgentRow } from "../api/types.ts";
import { rested } from "../live.ts";

const windowLength = 100;
/** Windows that were scrolled past are read again when one comes back. */
const maxKept = 30;
/** A scrollbar that is dragged passes many windows nobody looks at. */
const settleMs = 80;

export interface Rows {
  rowAt: (index: number) => AgentRow | undefined;
  /** Undefined until the first answer. */
  total: number | undefined;
  problem: { kind: string; text: string } | undefined;
}

interface Window {
  rows: readonly AgentRow[];
}

/** The agents of a query, of which only those between two places are read. */
export function useRows(query: string, from: number, to: number): Rows {
  const [state, setState] = useState<{ total: number | undefined; problem: Rows["problem"] }>({
    total: undefined,
    problem: undefined,
  });
  const windows = useRef(new Map<number, Window>());
  const looksAt = useRef({ from, to });
  looksAt.current = { from, to };
  const refresh = useRef<() => void>(() => undefined);

  useEffect(() => {
    const abort = new AbortController();
    let isFirst = true;
    const read = async (index: number) => {
      const path = `/api/v1/overview/agents?${query}&offset=${index * windowLength}&limit=${windowLength}`;
      const { rows, total } = await request<{ rows: AgentRow[]; total: number }>(path, {
        signal: abort.signal,
      });
      return { index, rows, total };
    };
    const update = rested(async () => {
      try {
        const answers = await Promise.all(windowsOf(looksAt.current).map(read));
        if (isFirst) windows.current.clear();
        isFirst = false;
        for (const { index, rows } of answers) windows.current.set(index, { rows });
        forgetAllBut(windows.current, new Set(answers.map(({ index }) => index)));
        setState({ total: answers.at(-1)?.total ?? 0, problem: undefined });
      } catch (error) {
        if (isAbort(error)) return;
        const kind = error instanceof ApiProblem ? error.kind : "";
        setState((before) => ({ ...before, problem: { kind, text: describe(error) } }));
      }
    });
    refresh.current = update.now;
    update.now();
    const stop = onEvent(({ type }) => {
      if (type !== "rollout.changed" && type !== "package.status") update.soon();
    });
    return () => {
      abort.abort();
      stop();
      update.stop();
    };
  }, [query]);

  const missing = windowsOf({ from, to }).some((index) => !windows.current.has(index));
  useEffect(() => {
    if (!missing || state.total === undefined) return undefined;
    const timer = window.setTimeout(() => refresh.current(), settleMs);
    return () => window.clearTimeout(timer);
  }, [missing, from, to, state.total]);

  return {
    rowAt: (index) => windows.current.get(Math.floor(index / windowLength))?.rows[index % windowLength],
    ...state,
  };
}

function windowsOf({ from, to }: { from: number; to: number }): number[] {
  const first = Math.floor(from / windowLength);
  const last = Math.floor(Math.max(from, to - 1) / windowLength);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function forgetAllBut(windows: Map<number, Window>, used: ReadonlySet<number>): void {
  for (const index of windows.keys()) {
    if (windows.size <= maxKept) return;
    if (!used.has(index)) windows.delete(index);
  }
}
