import type { Finding } from "../api/types.ts";
import { Status } from "../parts/status.tsx";
import { count } from "../parts/text.tsx";
import { levelWords } from "../text/rollout-words.ts";

const order: readonly Finding["level"][] = ["critical", "warning", "no_evidence", "ok", "not_applicable"];

/** What each gate says now: its figure, its limit, and on how many agents it says it. */
export function Gates({ findings, isUnderWay }: { findings: readonly Finding[]; isUnderWay: boolean }) {
  if (findings.length === 0) {
    return (
      <p class="faint">
        {isUnderWay ? "No gate has been judged so far." : "It is over: its story tells what the gates said."}
      </p>
    );
  }
  const sorted = findings.toSorted((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
  return <FindingTable findings={sorted} />;
}

export function FindingTable({ findings }: { findings: readonly Finding[] }) {
  return (
    <div class="scrolls" role="region" aria-label="What the gates say" tabIndex={0}>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Gate</th>
            <th scope="col">Says</th>
            <th scope="col">Figure</th>
            <th scope="col">Limit</th>
            <th scope="col">Agents</th>
            <th scope="col">Evidence</th>
          </tr>
        </thead>
        <tbody>
          {findings.map((finding) => (
            <tr key={finding.gate}>
              <th scope="row">{finding.gate.replaceAll("_", " ")}</th>
              <td class="nowrap">
                <Status kind={levelWords[finding.level].kind}>{levelWords[finding.level].text}</Status>
              </td>
              <td class="nowrap">{figure(finding.figure)}</td>
              <td class="nowrap">{figure(finding.threshold)}</td>
              <td class="nowrap">
                {finding.sample === undefined
                  ? "–"
                  : `${finding.count === undefined ? "" : `${count(finding.count)} of `}${count(finding.sample)}`}
              </td>
              <td class="evidence">{finding.text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function figure(value: number | undefined): string {
  return value === undefined ? "–" : String(Number(value.toPrecision(3)));
}
