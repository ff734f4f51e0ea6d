import { Status, type StatusKind } from "../parts/status.tsx";
import { Clock, Hash } from "../parts/text.tsx";

/** One offer, as the server answers it. */
export interface Offer {
  number: number;
  kind: string;
  hash: string;
  offered_at: string;
  answer: string | null;
  answered_at: string | null;
  error: string | null;
}

/** What was offered, what came of it, and the Collector's last words where it failed. */
export function OfferHistory({ offers }: { offers: readonly Offer[] }) {
  if (offers.length === 0) return <p class="faint">Nothing was offered to it so far.</p>;
  return (
    <ol class="history">
      {offers.map(({ answer, answered_at, error, hash, kind, number, offered_at }) => (
        <li key={number}>
          <div class="history-line">
            <span class="history-time">
              <Clock at={offered_at} />
            </span>
            <span>
              {kind} <Hash value={hash} />
            </span>
            <Status kind={kindOf(answer)}>{answer ?? "no answer yet"}</Status>
            {answered_at !== null && (
              <span class="faint">
                answered <Clock at={answered_at} />
              </span>
            )}
          </div>
          {error !== null && <pre class="words">{error}</pre>}
        </li>
      ))}
    </ol>
  );
}

function kindOf(answer: string | null): StatusKind {
  if (answer === null) return "idle";
  if (answer === "APPLIED" || answer === "INSTALLED") return "ok";
  return answer.endsWith("FAILED") ? "bad" : "busy";
}
