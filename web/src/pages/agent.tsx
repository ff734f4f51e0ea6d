import { useState } from "preact/hooks";
import type { StreamEvent } from "../api/events.ts";
import type { AgentDetail } from "../api/types.ts";
import { useLive } from "../live.ts";
import { Page, Problem, Section, Waiting } from "../parts/page.tsx";
import { Status, type StatusKind } from "../parts/status.tsx";
import { Ago, Hash } from "../parts/text.tsx";
import { mayDo } from "../session.ts";
import { AgentActions } from "./agent-actions.tsx";
import { AgentConfiguration, type Desired } from "./agent-configuration.tsx";
import { AgentFigures } from "./agent-figures.tsx";
import { HealthTree } from "./health-tree.tsx";
import { type Offer, OfferHistory } from "./offer-history.tsx";

export function AgentPage({ id }: { id: string }) {
  const path = `/api/v1/agents/${encodeURIComponent(id)}`;
  const wants = (event: StreamEvent) => "agent_id" in event && event.agent_id === id;
  const rules = (event: StreamEvent) => wants(event) || event.type === "rollout.changed";
  const agent = useLive<AgentDetail>(path, { wants, everyMs: 15_000 });
  const desired = useLive<Desired>(`${path}/desired`, { wants: rules });
  const offers = useLive<{ offers: Offer[] }>(`${path}/offers`, { wants });
  const [done, setDone] = useState<string>();
  const { data } = agent;
  return (
    <Page
      title={data === undefined ? "Agent" : nameOf(data)}
      aside={data && mayDo("operator") ? <AgentActions agent={data} onDone={setDone} /> : undefined}
    >
      <Problem text={agent.problem} />
      {done !== undefined && (
        <p class="notice" role="status">
          {done}
        </p>
      )}
      {data === undefined ? (
        agent.problem === undefined && <Waiting />
      ) : (
        <>
          <Facts agent={data} />
          <div class="columns">
            <Section title="Health">
              {data.health === null ? (
                <p class="faint">It says nothing of its health.</p>
              ) : (
                <HealthTree health={data.health} />
              )}
            </Section>
            <Section title="Packages">
              <Packages agent={data} desired={desired.data} />
            </Section>
          </div>
          <Section title="Configuration">
            <AgentConfiguration agent={data} desired={desired.data} />
          </Section>
          {offers.data !== undefined && (
            <Section title="Offers and answers">
              <OfferHistory offers={offers.data.offers} />
            </Section>
          )}
          {data.figures !== null && (
            <Section title="Figures">
              <AgentFigures figures={data.figures} />
            </Section>
          )}
          <Section title="Labels">
            <dl class="facts">
              {Object.entries(data.labels).map(([name, value]) => (
                <div key={name}>
                  <dt class="mono">{name}</dt>
                  <dd class="mono">{value}</dd>
                </div>
              ))}
            </dl>
          </Section>
        </>
      )}
    </Page>
  );
}

function nameOf({ id, labels }: AgentDetail): string {
  return labels["host.name"] || labels["service.instance.id"] || labels["service.name"] || id;
}

function Facts({ agent }: { agent: AgentDetail }) {
  const { kind, text } = stateOf(agent);
  const status = agent.remote_config_status;
  return (
    <dl class="facts facts-top">
      <div>
        <dt>State</dt>
        <dd>
          <Status kind={kind}>{text}</Status>
        </dd>
      </div>
      <div>
        <dt>Configuration</dt>
        <dd>
          <ConfigState agent={agent} />
        </dd>
      </div>
      <div>
        <dt>Version</dt>
        <dd>{agent.version ?? "not told"}</dd>
      </div>
      <div>
        <dt>Last heard</dt>
        <dd>
          <Ago at={agent.last_seen} /> by {agent.transport === "websocket" ? "WebSocket" : "HTTP"}
        </dd>
      </div>
      <div>
        <dt>Address</dt>
        <dd class="mono">{agent.remote_addr}</dd>
      </div>
      <div>
        <dt>Instance UID</dt>
        <dd class="mono wrap">{agent.id}</dd>
      </div>
      {status?.status === "FAILED" && (
        <div class="wide">
          <dt>Its last words about {status.hash.slice(0, 10)}</dt>
          <dd>
            <pre class="words">{status.error ?? "It gave no reason."}</pre>
          </dd>
        </div>
      )}
    </dl>
  );
}

function stateOf({ connected, health }: AgentDetail): { kind: StatusKind; text: string } {
  if (!connected) return { kind: "idle", text: "Disconnected" };
  if (health === null) return { kind: "idle", text: "Connected, health not told" };
  return health.healthy
    ? { kind: "ok", text: "Connected, healthy" }
    : { kind: "bad", text: "Connected, unhealthy" };
}

function ConfigState({ agent }: { agent: AgentDetail }) {
  const { config_hash, desired_config_hash, remote_config_status: status } = agent;
  if (desired_config_hash === null) return <Status kind="idle">none is desired</Status>;
  if (config_hash === desired_config_hash) {
    return (
      <Status kind="ok">
        runs as desired <Hash value={config_hash} />
      </Status>
    );
  }
  const failed = status?.status === "FAILED" && status.hash === desired_config_hash;
  return (
    <Status kind={failed ? "bad" : "warning"}>
      {failed ? "refused" : "not there yet:"} <Hash value={desired_config_hash} />, runs{" "}
      <Hash value={config_hash} />
    </Status>
  );
}

function Packages({ agent, desired }: { agent: AgentDetail; desired: Desired | undefined }) {
  const wanted = desired?.packages?.packages ?? {};
  const names = [...new Set([...Object.keys(agent.packages ?? {}), ...Object.keys(wanted)])].sort();
  if (names.length === 0) return <p class="faint">None are offered or reported.</p>;
  return (
    <>
      <Problem text={agent.packages_error} />
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Package</th>
            <th scope="col">Has</th>
            <th scope="col">Desired</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {names.map((name) => {
            const reported = agent.packages?.[name];
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{reported?.version ?? "–"}</td>
                <td>{wanted[name] ?? "–"}</td>
                <td>
                  <Status kind={packageKind(reported?.status)}>{reported?.status ?? "not reported"}</Status>
                  {reported?.download && ` ${Math.round(reported.download.percent)} %`}
                  {reported?.error && <pre class="words">{reported.error}</pre>}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

function packageKind(status: string | undefined): StatusKind {
  if (status === "INSTALLED") return "ok";
  if (status === "INSTALL_FAILED") return "bad";
  return status === undefined ? "idle" : "busy";
}
