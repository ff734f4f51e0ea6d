import { useId, useState } from "preact/hooks";
import { describe, request } from "../api/client.ts";
import { useLive } from "../live.ts";
import { ActionDialog } from "../parts/action-dialog.tsx";
import { Page, Problem, Section } from "../parts/page.tsx";
import { Status, type StatusKind } from "../parts/status.tsx";
import { Ago, Clock } from "../parts/text.tsx";
import { mayDo, session } from "../session.ts";
import { useStore } from "../store.ts";

interface ApiKey {
  id: string;
  name: string;
  role: "viewer" | "operator" | "admin" | "agent";
  created_by: string;
  created_at: string;
  expires_at: string;
  state: "active" | "expiring" | "expired" | "revoked" | "used-up";
  uses_left: number | null;
}

const states: Readonly<Record<ApiKey["state"], StatusKind>> = {
  active: "ok",
  expiring: "warning",
  expired: "idle",
  revoked: "idle",
  "used-up": "idle",
};

const roles = {
  viewer: "looks",
  operator: "changes what runs",
  admin: "decides who may do what",
  agent: "opens the OpAMP endpoint, and nothing here",
};

export function AccessPage() {
  const current = useStore(session);
  const isAdmin = mayDo("admin");
  const keys = useLive<{ tokens: ApiKey[] }>(isAdmin ? "/api/v1/tokens" : undefined);
  const [revoking, setRevoking] = useState<ApiKey>();
  return (
    <Page title="Access">
      {current.t === "signed-in" && (
        <p>
          You are <b>{current.identity.name}</b> with the role <b>{current.identity.role}</b>
          {current.identity.by === "loopback" &&
            ", without a key: whoever reaches this listener on this machine may do everything"}
          .
        </p>
      )}
      {!isAdmin && <p>API keys are shown to the role admin.</p>}
      {isAdmin && (
        <>
          <Section title="New API key">
            <NewKey onMade={keys.reload} />
          </Section>
          <Section title="API keys">
            <Problem text={keys.problem} />
            {keys.data?.tokens.length === 0 && <p class="faint">There are none.</p>}
            {keys.data !== undefined && keys.data.tokens.length > 0 && (
              <KeyTable keys={keys.data.tokens} onRevoke={setRevoking} />
            )}
          </Section>
        </>
      )}
      {revoking !== undefined && (
        <ActionDialog
          title={`Revoke ${revoking.name}?`}
          verb="Revoke"
          dangerous
          onConfirm={async (reason) => {
            await request(`/api/v1/tokens/${encodeURIComponent(revoking.id)}`, { method: "DELETE", reason });
            keys.reload();
          }}
          onClose={() => setRevoking(undefined)}
        >
          <p>It ends at once, with the connections that it opened.</p>
        </ActionDialog>
      )}
    </Page>
  );
}

function KeyTable({ keys, onRevoke }: { keys: readonly ApiKey[]; onRevoke: (key: ApiKey) => void }) {
  return (
    <div class="scrolls" role="region" aria-label="API keys" tabIndex={0}>
      <table class="plain">
        <thead>
          <tr>
            {["Name", "Role", "State", "Ends", "Made", ""].map((title) => (
              <th key={title} scope="col">
                {title || <span class="unseen">Actions</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <th scope="row">{key.name}</th>
              <td>{key.role}</td>
              <td>
                <Status kind={states[key.state]}>{key.state}</Status>
                {key.uses_left !== null && <span class="faint"> {key.uses_left} uses left</span>}
              </td>
              <td class="nowrap">
                <Clock at={key.expires_at} />
              </td>
              <td class="nowrap">
                <Ago at={key.created_at} /> by {key.created_by}
              </td>
              <td>
                {(key.state === "active" || key.state === "expiring") && (
                  <button
                    type="button"
                    class="quiet"
                    aria-label={`Revoke ${key.name}`}
                    onClick={() => onRevoke(key)}
                  >
                    Revoke
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function NewKey({ onMade }: { onMade: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<ApiKey["role"]>("viewer");
  const [days, setDays] = useState("");
  const [problem, setProblem] = useState<string>();
  const [made, setMade] = useState<{ name: string; secret: string }>();
  const id = useId();
  const make = async (event: Event) => {
    event.preventDefault();
    try {
      const body = { name: name.trim(), role, ...(days !== "" && { lifetime_days: Number(days) }) };
      setMade(await request<{ name: string; secret: string }>("/api/v1/tokens", { method: "POST", body }));
      setName("");
      setProblem(undefined);
      onMade();
    } catch (error) {
      setProblem(describe(error));
    }
  };
  return (
    <form class="inline-form" onSubmit={(event) => void make(event)} noValidate>
      <div class="field">
        <label for={`${id}-name`}>Name</label>
        <input
          id={`${id}-name`}
          autoComplete="off"
          maxLength={200}
          value={name}
          aria-invalid={problem !== undefined}
          aria-describedby={`${id}-problem`}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for={`${id}-role`}>Role</label>
        <select
          id={`${id}-role`}
          value={role}
          onChange={(event) => setRole(event.currentTarget.value as ApiKey["role"])}
        >
          {Object.entries(roles).map(([each, about]) => (
            <option key={each} value={each}>
              {each}: {about}
            </option>
          ))}
        </select>
      </div>
      <div class="field narrow">
        <label for={`${id}-days`}>Days</label>
        <input
          id={`${id}-days`}
          inputMode="numeric"
          autoComplete="off"
          placeholder="usual"
          value={days}
          onInput={(event) => setDays(event.currentTarget.value)}
        />
      </div>
      <button type="submit" class="primary">
        Make key
      </button>
      <p id={`${id}-problem`} class="field-problem" role="alert">
        {problem}
      </p>
      {made !== undefined && <Secret {...made} onDone={() => setMade(undefined)} />}
    </form>
  );
}

function Secret({ name, secret, onDone }: { name: string; secret: string; onDone: () => void }) {
  const [copied, setCopied] = useState(false);
  return (
    <div class="secret" role="status">
      <p>
        The secret of <b>{name}</b>. It is shown this once: the server keeps no copy that could be read.
      </p>
      <code class="secret-text">{secret}</code>
      <div class="buttons">
        <button
          type="button"
          onClick={() => void navigator.clipboard.writeText(secret).then(() => setCopied(true))}
        >
          {copied ? "Copied" : "Copy"}
        </button>
        <button type="button" onClick={onDone}>
          I have kept it
        </button>
      </div>
    </div>
  );
}
