import { useId, useState } from "preact/hooks";
import { signIn } from "../session.ts";

/** Who the server does not know says who they are. */
export function SignInPage({ problem }: { problem: string | undefined }) {
  const [secret, setSecret] = useState("");
  const [keep, setKeep] = useState(false);
  const [busy, setBusy] = useState(false);
  const [empty, setEmpty] = useState(false);
  const id = useId();
  const submit = async (event: Event) => {
    event.preventDefault();
    setEmpty(secret.trim() === "");
    if (secret.trim() === "") return;
    setBusy(true);
    await signIn(secret.trim(), keep);
    setBusy(false);
  };
  const shown = empty ? "Enter a key." : problem;
  return (
    <main class="sign-in" id="main">
      <h1>Sign in to opamp-server</h1>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <div class="field">
          <label for={`${id}-key`}>API key, or token of your identity provider</label>
          <input
            id={`${id}-key`}
            type="password"
            autoComplete="current-password"
            value={secret}
            aria-invalid={shown !== undefined}
            aria-describedby={`${id}-problem ${id}-note`}
            onInput={(event) => setSecret(event.currentTarget.value)}
          />
          <p id={`${id}-problem`} class="field-problem" role="alert">
            {shown}
          </p>
        </div>
        <label class="check">
          <input type="checkbox" checked={keep} onChange={(event) => setKeep(event.currentTarget.checked)} />
          Keep it in this tab until I close it
        </label>
        <button type="submit" class="primary large" disabled={busy}>
          {busy ? "Asking the server…" : "Sign in"}
        </button>
        <p id={`${id}-note`} class="field-note">
          The first key is in the file admin-key of the server’s storage directory. A key is sent to this
          server only, and is forgotten when the page is left.
        </p>
      </form>
    </main>
  );
}
