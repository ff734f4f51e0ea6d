import { useState } from "preact/hooks";
import { request } from "../api/client.ts";
import type { AgentDetail } from "../api/types.ts";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { goTo, hrefTo } from "../route.ts";

export interface AgentActionsProps {
  agent: AgentDetail;
  /** Told what the server answered. */
  onDone: (said: string) => void;
}

/** What an operator may do to one agent. */
export function AgentActions({ agent, onDone }: AgentActionsProps) {
  const [asks, setAsks] = useState<"restart" | "roll-back">();
  const close = () => setAsks(undefined);
  const restart = async (reason: string) => {
    const path = `/api/v1/agents/${agent.id}/restart`;
    const { sent } = await request<{ sent: boolean }>(path, { method: "POST", reason });
    onDone(
      sent
        ? "The order to restart was sent. Its next reports, below, tell how it goes."
        : "The order to restart waits for its next poll.",
    );
  };
  const rollBack = async (reason: string) => {
    const { rollouts } = await request<{ rollouts: string[] }>("/api/v1/rollback", {
      method: "POST",
      body: { selector: { labels: { uid: agent.id } }, to_version: "previous", reason },
    });
    onDone("The server is taking it back; its answers are below.");
    if (rollouts[0] !== undefined) goTo(hrefTo(["rollouts", rollouts[0]]));
  };
  const restartable = agent.connected && agent.capabilities.includes("AcceptsRestartCommand");
  return (
    <div class="buttons">
      <button
        type="button"
        disabled={!restartable}
        title={restartable ? undefined : "It is not connected, or takes no restart command"}
        onClick={() => setAsks("restart")}
      >
        Restart Collector
      </button>
      <button
        type="button"
        disabled={agent.desired_config_hash === null}
        onClick={() => setAsks("roll-back")}
      >
        Roll back
      </button>
      {asks === "restart" && (
        <ActionDialog title="Restart its Collector?" verb="Restart" onConfirm={restart} onClose={close}>
          <p>Telemetry of this host pauses while the Collector stops and starts again.</p>
        </ActionDialog>
      )}
      {asks === "roll-back" && (
        <ActionDialog
          title="Roll this agent back?"
          verb="Roll back"
          dangerous
          onConfirm={rollBack}
          onClose={close}
        >
          <p>It is offered the configuration that it was to have before this one.</p>
        </ActionDialog>
      )}
    </div>
  );
}
