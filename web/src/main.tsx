import { render } from "preact";
import { useEffect } from "preact/hooks";
import { followEvents } from "./api/events.ts";
import { Frame } from "./frame.tsx";
import { AccessPage } from "./pages/access.tsx";
import { AgentPage } from "./pages/agent.tsx";
import { AuditPage } from "./pages/audit.tsx";
import { FleetPage } from "./pages/fleet.tsx";
import { NewRolloutPage } from "./pages/new-rollout.tsx";
import { RolloutPage } from "./pages/rollout.tsx";
import { RolloutsPage } from "./pages/rollouts.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { Page } from "./parts/page.tsx";
import { hrefTo, useRoute } from "./route.ts";
import { applyScheme } from "./scheme.ts";
import { session, startSession } from "./session.ts";
import { useStore } from "./store.ts";

function App() {
  const current = useStore(session);
  switch (current.t) {
    case "starting":
      return null;
    case "unreachable":
      return <Unreachable problem={current.problem} />;
    case "signed-out":
      return <SignInPage problem={current.problem} />;
    case "signed-in":
      return (
        <Frame identity={current.identity}>
          <Place />
        </Frame>
      );
  }
}

function Place() {
  const { path, query } = useRoute();
  const [room, name] = path;
  if (room === undefined) return <FleetPage />;
  if (room === "agents" && name !== undefined) return <AgentPage key={name} id={name} />;
  if (room === "rollouts" && name === undefined) return <RolloutsPage />;
  if (room === "rollouts" && name === "new") return <NewRolloutPage selector={query.selector ?? ""} />;
  if (room === "rollouts" && name !== undefined)
    return <RolloutPage key={name} id={name} entry={query.entry} />;
  if (room === "access") return <AccessPage />;
  if (room === "audit") return <AuditPage text={query.text ?? ""} />;
  return (
    <Page title="Nothing is here">
      <p>
        <a href={hrefTo([])}>To the fleet</a>
      </p>
    </Page>
  );
}

/** Tries again by itself. */
function Unreachable({ problem }: { problem: string }) {
  useEffect(() => {
    const timer = window.setInterval(() => void startSession(), 2_000);
    return () => window.clearInterval(timer);
  }, []);
  return (
    <main class="sign-in">
      <h1>No connection</h1>
      <p role="alert">{problem} Retrying.</p>
    </main>
  );
}

const root = document.getElementById("app");
if (root === null) throw new Error("index.html has no element #app");
applyScheme();
followEvents();
render(<App />, root);
void startSession();
