import { useRef } from "preact/hooks";
import { yamlTokens } from "../text/yaml-tokens.ts";

/** Above so many characters colours cost more than they help. */
const maxColoured = 200_000;

function YamlLines({ text }: { text: string }) {
  if (text.length > maxColoured) return <>{text}</>;
  return (
    <>
      {text.split("\n").map((line, index) => (
        <span key={index} class="yaml-line">
          {yamlTokens(line).map((token, place) => (
            <span key={place} class={`yaml-${token.t}`}>
              {token.text}
            </span>
          ))}
          {"\n"}
        </span>
      ))}
    </>
  );
}

/** A configuration to be read. */
export function YamlText({ text, label }: { text: string; label: string }) {
  return (
    <pre class="code" role="region" aria-label={label} tabIndex={0}>
      <YamlLines text={text} />
    </pre>
  );
}

export interface YamlEditorProps {
  id: string;
  text: string;
  /** Ids of what explains it. */
  describedBy: string;
  invalid: boolean;
  onChange: (text: string) => void;
}

/** A field to write YAML in: a usual text area, over the same text in colour. */
export function YamlEditor({ id, text, describedBy, invalid, onChange }: YamlEditorProps) {
  const colours = useRef<HTMLPreElement>(null);
  const insert = (event: KeyboardEvent & { currentTarget: HTMLTextAreaElement }) => {
    // Two spaces at the start of a line; everywhere else Tab leads on, so that nobody is caught in here.
    const { selectionStart, selectionEnd, value } = event.currentTarget;
    const line = value.slice(value.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
    if (event.key !== "Tab" || event.shiftKey || selectionStart !== selectionEnd || !/^\s+$/.test(line))
      return;
    event.preventDefault();
    event.currentTarget.setRangeText("  ", selectionStart, selectionEnd, "end");
    onChange(event.currentTarget.value);
  };
  return (
    <div class="editor">
      <pre class="editor-colours" aria-hidden="true" ref={colours}>
        <YamlLines text={text} />
      </pre>
      <textarea
        id={id}
        class="editor-text"
        value={text}
        spellcheck={false}
        autoCapitalize="off"
        autoComplete="off"
        wrap="off"
        aria-invalid={invalid}
        aria-describedby={describedBy}
        onInput={(event) => onChange(event.currentTarget.value)}
        onKeyDown={insert}
        onScroll={(event) => {
          const { scrollLeft, scrollTop } = event.currentTarget;
          colours.current?.scrollTo(scrollLeft, scrollTop);
        }}
      />
    </div>
  );
}
