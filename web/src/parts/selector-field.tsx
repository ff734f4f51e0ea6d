import { useEffect, useId, useRef, useState } from "preact/hooks";

export interface SelectorFieldProps {
  value: string;
  label: string;
  /** What the server says against it. */
  problem: string | undefined;
  /** Called when somebody pauses in typing. */
  onChange: (value: string) => void;
}

const pauseMs = 250;

/** Which agents are meant, by their labels. */
export function SelectorField({ value, label, problem, onChange }: SelectorFieldProps) {
  const [text, setText] = useState(value);
  const timer = useRef<number | undefined>(undefined);
  const id = useId();
  useEffect(() => setText(value), [value]);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const type = (typed: string) => {
    setText(typed);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => onChange(typed.trim()), pauseMs);
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        class="mono"
        type="search"
        value={text}
        spellcheck={false}
        autoCapitalize="off"
        autoComplete="off"
        placeholder="env=prod, region in (eu, us)"
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-note`}
        onInput={(event) => type(event.currentTarget.value)}
      />
      <p id={`${id}-note`} class={problem === undefined ? "field-note" : "field-problem"} aria-live="polite">
        {problem ?? "Label selector. Empty: every agent."}
      </p>
    </div>
  );
}
