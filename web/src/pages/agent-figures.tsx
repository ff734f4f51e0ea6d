import type { AgentDetail } from "../api/types.ts";
import { Ago, count, duration, useNow } from "../parts/text.tsx";

type Figures = NonNullable<AgentDetail["figures"]>;

/** What its supervisor measures of the Collector. */
export function AgentFigures({ figures }: { figures: Figures }) {
  const now = useNow(5_000);
  const { at, configuration, process, since_supervisor: since, telemetry } = figures;
  const restarts = Object.entries(since.restarts);
  const rows: [string, string][] = [
    ["Runs", configuration.role + (configuration.on_probation ? ", on probation" : "")],
    ...(process === undefined
      ? [["Process", "none runs"] as [string, string]]
      : ([
          ["Running for", duration((now - process.started_at) / 1000)],
          [
            "CPU time",
            process.cpu_seconds === undefined ? "not known" : `${process.cpu_seconds.toFixed(1)} s`,
          ],
          [
            "Memory",
            process.rss_bytes === undefined
              ? "not known"
              : `${Math.round(process.rss_bytes / 1_048_576)} MiB`,
          ],
        ] as [string, string][])),
    [
      "Restarts",
      restarts.length === 0 ? "none" : restarts.map(([why, times]) => `${why} ${times}`).join(", "),
    ],
    ["Error lines in its log", count(since.error_logs)],
  ];
  const signals = (["traces", "metrics", "logs"] as const).flatMap((name) => {
    const signal = telemetry?.[name];
    return signal === undefined ? [] : [{ name, signal }];
  });
  return (
    <>
      <p class="faint">
        Taken <Ago at={new Date(at).toISOString()} />; counters since the supervisor or the process started.
      </p>
      <dl class="facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {configuration.refused !== null && <pre class="words">{configuration.refused.reason}</pre>}
      {signals.length > 0 && (
        <div class="scrolls" role="region" aria-label="Signals" tabIndex={0}>
          <table class="plain">
            <thead>
              <tr>
                {["Signal", "Accepted", "Refused", "Sent", "Lost"].map((title) => (
                  <th key={title} scope="col">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {signals.map(({ name, signal }) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td>{told(signal.accepted)}</td>
                  <td>{told(signal.refused)}</td>
                  <td>{told(signal.sent)}</td>
                  <td>{told(sum(signal.send_failed, signal.enqueue_failed))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function told(value: number | undefined): string {
  return value === undefined ? "–" : count(value);
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}
