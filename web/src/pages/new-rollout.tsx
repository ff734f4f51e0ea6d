import { useEffect, useId, useState } from "preact/hooks";
import { ApiProblem, describe, isAbort, request, withQuery } from "../api/client.ts";
import { useLive } from "../live.ts";
import { Page, Problem, Section } from "../parts/page.tsx";
import { SelectorField } from "../parts/selector-field.tsx";
import { counted } from "../parts/text.tsx";
import { YamlEditor } from "../parts/yaml.tsx";
import { goTo, hrefTo } from "../route.ts";
import { mayDo } from "../session.ts";
import { type Preview, PreviewView } from "./preview-view.tsx";

interface Strategy {
  name: string;
  description: string;
}

/** What is wrong, and with which field. */
type Wrong = Partial<Record<"text" | "selector" | "message" | "form", string | undefined>>;

const pauseMs = 400;

export function NewRolloutPage({ selector: given }: { selector: string }) {
  const [text, setText] = useState("");
  const [selector, setSelector] = useState(given);
  const [strategy, setStrategy] = useState("");
  const [message, setMessage] = useState("");
  const [wrong, setWrong] = useState<Wrong>({});
  const [busy, setBusy] = useState(false);
  const strategies = useLive<{ strategies: Strategy[] }>("/api/v1/strategies");
  const preview = usePreview(text, selector, strategy, setWrong);
  const id = useId();
  const chosen = strategies.data?.strategies.find(({ name }) => name === strategy);
  const canStart = preview !== undefined && !busy && Object.values(wrong).every((each) => each === undefined);

  const start = async (event: Event) => {
    event.preventDefault();
    if (message.trim() === "") {
      setWrong((before) => ({
        ...before,
        message: "Say what it is for: it is kept in the rollout’s story.",
      }));
      document.getElementById(`${id}-message`)?.focus();
      return;
    }
    setBusy(true);
    try {
      const path = withQuery("/api/v1/config", { selector, strategy, message: message.trim() });
      const { rollout } = await request<{ rollout: string }>(path, { method: "POST", body: text });
      goTo(hrefTo(["rollouts", rollout]));
    } catch (error) {
      setWrong(fieldOf(error));
      setBusy(false);
    }
  };

  if (!mayDo("operator")) {
    return (
      <Page title="New rollout">
        <p>Your role looks on; starting a rollout takes the role operator.</p>
      </Page>
    );
  }
  return (
    <Page title="New rollout">
      <form class="new-rollout" onSubmit={(event) => void start(event)} noValidate>
        <div class="field">
          <label for={`${id}-text`}>Configuration</label>
          <YamlEditor
            id={`${id}-text`}
            text={text}
            invalid={wrong.text !== undefined}
            describedBy={`${id}-text-note`}
            onChange={setText}
          />
          <p
            id={`${id}-text-note`}
            class={wrong.text === undefined ? "field-note" : "field-problem"}
            aria-live="polite"
          >
            {wrong.text ??
              "YAML of a Collector: receivers, exporters, service. Each supervisor validates it with its own Collector before it runs."}
          </p>
        </div>
        <div class="new-rollout-side">
          <SelectorField
            label="Which agents"
            value={selector}
            problem={wrong.selector}
            onChange={setSelector}
          />
          <div class="field">
            <label for={`${id}-strategy`}>Strategy</label>
            <select
              id={`${id}-strategy`}
              value={strategy}
              onChange={(event) => setStrategy(event.currentTarget.value)}
            >
              <option value="">
                The server’s default{preview && strategy === "" ? ` (${preview.strategy})` : ""}
              </option>
              {strategies.data?.strategies.map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
            <p class="field-note">
              {chosen?.description ?? "How it reaches them: in which stages, and how long each is watched."}
            </p>
            <Problem text={strategies.problem} />
          </div>
          <div class="field">
            <label for={`${id}-message`}>What it is for</label>
            <input
              id={`${id}-message`}
              autoComplete="off"
              maxLength={500}
              value={message}
              aria-invalid={wrong.message !== undefined}
              aria-describedby={`${id}-message-note`}
              onInput={(event) => {
                setMessage(event.currentTarget.value);
                setWrong((before) => ({ ...before, message: undefined }));
              }}
            />
            <p id={`${id}-message-note`} class="field-problem" aria-live="polite">
              {wrong.message}
            </p>
          </div>
          <Section title="Who would get this">
            {preview === undefined ? (
              <p class="faint">
                {text.trim() === "" ? "Write a configuration first." : "Not before what is wrong is mended."}
              </p>
            ) : (
              <PreviewView preview={preview} />
            )}
          </Section>
          <Problem text={wrong.form} />
          <div class="buttons">
            <button type="submit" class="primary large" disabled={!canStart}>
              {busy
                ? "Asking the server…"
                : preview === undefined
                  ? "Start rollout"
                  : `Start rollout to ${counted(preview.matched, "agent")}`}
            </button>
          </div>
        </div>
      </form>
    </Page>
  );
}

/** Has the server look at it whenever one pauses in writing. */
function usePreview(
  text: string,
  selector: string,
  strategy: string,
  setWrong: (wrong: (before: Wrong) => Wrong) => void,
) {
  const [preview, setPreview] = useState<Preview>();
  useEffect(() => {
    if (text.trim() === "") {
      setPreview(undefined);
      setWrong(({ message }) => (message === undefined ? {} : { message }));
      return undefined;
    }
    const abort = new AbortController();
    const look = async () => {
      const keep = (fresh: Wrong) =>
        setWrong(({ message }) => ({ ...(message !== undefined && { message }), ...fresh }));
      try {
        const path = withQuery("/api/v1/config/preview", { selector, strategy });
        const answer = await request<Preview>(path, { method: "POST", body: text, signal: abort.signal });
        setPreview(answer);
        keep({});
      } catch (error) {
        if (isAbort(error)) return;
        setPreview(undefined);
        keep(fieldOf(error));
      }
    };
    const timer = window.setTimeout(() => void look(), pauseMs);
    return () => {
      window.clearTimeout(timer);
      abort.abort();
    };
  }, [text, selector, strategy, setWrong]);
  return preview;
}

function fieldOf(error: unknown): Wrong {
  const kind = error instanceof ApiProblem ? error.kind : "";
  if (kind === "bad-configuration" || kind === "body-too-large" || kind === "hash-quarantined")
    return { text: describe(error) };
  return kind.endsWith("selector") ? { selector: describe(error) } : { form: describe(error) };
}
