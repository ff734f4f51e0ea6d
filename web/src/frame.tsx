import type { ComponentChildren } from "preact";
import { streamState } from "./api/events.ts";
import { Status } from "./parts/status.tsx";
import { hrefTo, useRoute } from "./route.ts";
import { schemeNames, schemeStore, setScheme } from "./scheme.ts";
import { type Identity, signOut } from "./session.ts";
import { useStore } from "./store.ts";

const places = [
  { path: [], title: "Fleet" },
  { path: ["rollouts"], title: "Rollouts" },
  { path: ["access"], title: "Access" },
  { path: ["audit"], title: "Audit" },
] as const;

/** What is around every page. */
export function Frame({ identity, children }: { identity: Identity; children: ComponentChildren }) {
  const route = useRoute();
  const here = route.path[0] === "agents" ? undefined : route.path[0];
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        To the content
      </button>
      <header class="top">
        <a class="brand" href={hrefTo([])}>
          opamp-server
        </a>
        <nav aria-label="Pages">
          {places.map(({ path, title }) => (
            <a key={title} href={hrefTo(path)} aria-current={here === path[0] ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <div class="top-end">
          <Connection />
          <SchemeSwitch />
          <span class="who" title={`role ${identity.role}`}>
            {identity.by === "loopback" ? "open, no key needed" : `${identity.name} (${identity.role})`}
          </span>
          {identity.by !== "loopback" && (
            <button type="button" class="quiet" onClick={() => signOut()}>
              Sign out
            </button>
          )}
        </div>
      </header>
      <LostBar />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

function Connection() {
  const state = useStore(streamState);
  return (
    <span class="stream">
      <Status kind={state === "live" ? "ok" : state === "lost" ? "bad" : "idle"}>
        {state === "live" ? "Live" : state === "lost" ? "Not live" : "Connecting"}
      </Status>
    </span>
  );
}

/** What is shown may be old: nobody is to find that out later. */
function LostBar() {
  const state = useStore(streamState);
  return (
    <div role="alert">
      {state === "lost" && (
        <p class="lost">Connection to opamp-server lost, retrying. What you see may be out of date.</p>
      )}
    </div>
  );
}

function SchemeSwitch() {
  const scheme = useStore(schemeStore);
  return (
    <label class="scheme">
      <span class="unseen">Colours</span>
      <select value={scheme} onChange={(event) => setScheme(event.currentTarget.value)}>
        {Object.entries(schemeNames).map(([name, title]) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}
