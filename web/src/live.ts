import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { describe, isAbort, request } from "./api/client.ts";
import { onEvent, type StreamEvent } from "./api/events.ts";

export interface Live<T> {
  /** The last answer; stays while the next one is awaited. */
  data: T | undefined;
  problem: string | undefined;
  reload: () => void;
}

export interface LiveOptions {
  /** Events after which it is read again. */
  wants?: (event: StreamEvent) => boolean;
  /** Read again after so many milliseconds as well. */
  everyMs?: number | undefined;
}

/** Never more often than this, however many events come. */
const restMs = 1_000;

/** What a path of the API answers, read again when events say that it has changed. Undefined: nothing is read. */
export function useLive<T>(path: string | undefined, { wants, everyMs }: LiveOptions = {}): Live<T> {
  const [state, setState] = useState<{
    path: string | undefined;
    data: T | undefined;
    problem: string | undefined;
  }>({
    path,
    data: undefined,
    problem: undefined,
  });
  const load = useRef<() => void>(() => undefined);
  const wanted = useRef(wants);
  wanted.current = wants;

  useEffect(() => {
    if (path === undefined) return undefined;
    const abort = new AbortController();
    const schedule = rested(async () => {
      try {
        const data = await request<T>(path, { signal: abort.signal });
        setState({ path, data, problem: undefined });
      } catch (error) {
        if (isAbort(error)) return;
        setState((before) => ({
          path,
          data: before.path === path ? before.data : undefined,
          problem: describe(error),
        }));
      }
    });
    load.current = schedule.now;
    schedule.now();
    const stop = onEvent((event) => {
      if (event.type === "reset" || wanted.current?.(event)) schedule.soon();
    });
    const timer = everyMs === undefined ? undefined : window.setInterval(schedule.soon, everyMs);
    return () => {
      abort.abort();
      stop();
      schedule.stop();
      window.clearInterval(timer);
    };
  }, [path, everyMs]);

  const reload = useCallback(() => load.current(), []);
  return { data: state.data, problem: state.problem, reload };
}

/** Runs something at most once in `restMs`, and not while nobody looks; the last call is never lost. */
export function rested(run: () => Promise<void>): { now: () => void; soon: () => void; stop: () => void } {
  let timer: number | undefined;
  let last = 0;
  let busy = false;
  let again = false;
  const go = async () => {
    window.clearTimeout(timer);
    timer = undefined;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    last = Date.now();
    await run();
    busy = false;
    if (again) {
      again = false;
      soon();
    }
  };
  const soon = () => {
    if (timer !== undefined) return;
    if (document.hidden) {
      document.addEventListener("visibilitychange", soon, { once: true });
      return;
    }
    timer = window.setTimeout(() => void go(), Math.max(50, last + restMs - Date.now()));
  };
  return {
    now: () => void go(),
    soon,
    stop() {
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", soon);
    },
  };
}
