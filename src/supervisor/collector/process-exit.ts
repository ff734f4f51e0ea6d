/** How a Collector process ended. */
export interface CollectorExit {
  pid: number;
  code: number | null;
  signal: NodeJS.Signals | null;
  /** False for an adopted process: only its parent learns code and signal. */
  known: boolean;
  /** It had been told to stop. */
  requested: boolean;
  /** From its start to its end, in milliseconds. */
  uptimeMs: number;
  /** The kernel killed something in its cgroup for lack of memory while it ran, and it died of SIGKILL. */
  oomKilled: boolean;
  /** The limit that it had reached then, in bytes, where `agent.memory_limit` was the reason. */
  overLimit?: number;
}

/** `exit code 1`, `killed by SIGSEGV`, `killed by SIGKILL (out of memory)`, `exit code unknown (adopted process)`. */
export function describeExit({ code, signal, known, oomKilled, overLimit }: CollectorExit): string {
  const limit = overLimit === undefined ? "" : `: over agent.memory_limit of ${overLimit / 1_048_576} MiB`;
  const memory = oomKilled ? `out of memory${limit}` : undefined;
  if (!known) return `exit code unknown (${["adopted process", memory].filter(Boolean).join(", ")})`;
  if (signal === null) return `exit code ${code ?? "unknown"}`;
  return memory === undefined ? `killed by ${signal}` : `killed by ${signal} (${memory})`;
}
