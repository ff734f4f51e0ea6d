import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { describe } from "../api/client.ts";

export interface ActionDialogProps {
  title: string;
  /** What it will do, in a sentence or two. */
  children: ComponentChildren;
  /** On the button that does it. */
  verb: string;
  dangerous?: boolean;
  /** Resolves when the server has taken it. */
  onConfirm: (reason: string) => Promise<void>;
  onClose: () => void;
}

/** Asks for a reason before something is done, and stays open with what the server says against it. */
export function ActionDialog({ title, children, verb, dangerous, onConfirm, onClose }: ActionDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);

  const confirm = async (event: Event) => {
    event.preventDefault();
    if (reason.trim() === "") {
      setProblem("Say why: it is kept with what is done.");
      return;
    }
    setBusy(true);
    try {
      await onConfirm(reason.trim());
      dialog.current?.close();
    } catch (error) {
      setProblem(describe(error));
      setBusy(false);
    }
  };

  return (
    <dialog ref={dialog} class="dialog" aria-labelledby={`${id}-title`} onClose={onClose}>
      <form onSubmit={(event) => void confirm(event)} noValidate>
        <h2 id={`${id}-title`}>{title}</h2>
        <div class="dialog-text">{children}</div>
        <label for={`${id}-reason`}>Reason</label>
        <input
          id={`${id}-reason`}
          autoComplete="off"
          value={reason}
          maxLength={500}
          aria-invalid={problem !== undefined}
          aria-describedby={`${id}-problem`}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
        <p class="field-problem" id={`${id}-problem`} role="alert">
          {problem}
        </p>
        <div class="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class={dangerous ? "danger" : "primary"} disabled={busy}>
            {busy ? "Asking the server…" : verb}
          </button>
        </div>
      </form>
    </dialog>
  );
}
