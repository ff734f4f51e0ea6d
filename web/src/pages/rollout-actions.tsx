import { useState } from "preact/hooks";
import { request } from "../api/client.ts";
import type { Rollout, RolloutDetail } from "../api/types.ts";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { count } from "../parts/text.tsx";
import { mayDo, session } from "../session.ts";
import { useStore } from "../store.ts";
import { stateWords } from "../text/rollout-words.ts";

const decisions = {
  approve: {
    title: "Approve it?",
    verb: "Approve",
    about: "It starts with its first stage.",
    when: ["pending"],
  },
  pause: {
    title: "Pause it?",
    verb: "Pause",
    about: "Who has it keeps it; nobody else is reached until it is resumed. Gates go on to be judged.",
    when: ["running", "rolling-back"],
  },
  resume: {
    title: "Resume it?",
    verb: "Resume",
    about: "It goes on where it was paused. Warnings seen so far do not pause this stage again.",
    when: ["paused"],
  },
  promote: {
    title: "Promote it to the next stage?",
    verb: "Promote",
    about: "The next stage begins now, whatever the gates of this one still lack.",
    when: ["running", "paused"],
  },
  abort: {
    title: "Abort it?",
    verb: "Abort",
    about: "It ends here: who has it keeps it, and nobody else gets it.",
    when: ["pending", "running", "paused"],
  },
  rollback: {
    title: "Stop and roll back?",
    verb: "Stop and roll back",
    about: "Every agent that took it is offered what it had before, and this version is not offered again.",
    when: ["running", "paused", "done", "aborted"],
  },
} as const satisfies Record<
  string,
  { title: string; verb: string; about: string; when: readonly Rollout["state"][] }
>;

type Decision = keyof typeof decisions;

export interface RolloutActionsProps {
  rollout: RolloutDetail;
  /** Told what the server answered. */
  onDone: (said: string) => void;
}

/** What may be decided now. Going back is the one that nobody has to look for. */
export function RolloutActions({ rollout, onDone }: RolloutActionsProps) {
  const [asks, setAsks] = useState<Decision>();
  const signedIn = useStore(session);
  const name = signedIn.t === "signed-in" ? signedIn.identity.name : "";
  if (!mayDo("operator")) return <p class="faint">Your role looks on; deciding takes the role operator.</p>;
  const may = (decision: Decision) => (decisions[decision].when as readonly string[]).includes(rollout.state);
  const isOwn = rollout.created_by === name;
  const usual = (["approve", "pause", "resume", "promote", "abort"] as const).filter(
    (decision) => may(decision) && !(decision === "approve" && isOwn),
  );
  const decide = async (decision: Decision, reason: string) => {
    const path = `/api/v1/rollouts/${rollout.id}/${decision}`;
    const answer = await request<Rollout>(path, { method: "POST", body: { reason } });
    onDone(`The server has taken it: ${stateWords[answer.state].text.toLowerCase()}.`);
  };
  return (
    <div class="rollout-actions">
      {may("rollback") && (
        <button type="button" class="danger large" onClick={() => setAsks("rollback")}>
          {rollout.state === "done" || rollout.state === "aborted" ? "Roll back" : "Stop and roll back"}
        </button>
      )}
      <div class="buttons">
        {usual.map((decision) => (
          <button key={decision} type="button" onClick={() => setAsks(decision)}>
            {decisions[decision].verb}
          </button>
        ))}
      </div>
      {rollout.state === "pending" && isOwn && (
        <p class="faint">You started it: somebody else has to approve it.</p>
      )}
      {asks !== undefined && (
        <ActionDialog
          title={decisions[asks].title}
          verb={decisions[asks].verb}
          dangerous={asks === "rollback" || asks === "abort"}
          onConfirm={(reason) => decide(asks, reason)}
          onClose={() => setAsks(undefined)}
        >
          <p>{decisions[asks].about}</p>
          {asks === "rollback" && <p>{count(rollout.progress.released)} agents were released so far.</p>}
        </ActionDialog>
      )}
    </div>
  );
}
