import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const made = execFileSync(process.execPath, ["scripts/settings-reference.mjs", "--print"], {
  encoding: "utf8",
});

describe("docs/settings.md", () => {
  it("is what the schemas and the example files say: npm run settings-reference", () => {
    expect(readFileSync("docs/settings.md", "utf8")).toBe(made);
  });

  it.each([
    // One of each way in which a line is found: choice, example, guess, list, reference elsewhere, comment above a sibling.
    "| `on_supervisor_exit` **ours** | one of keep, stop | `keep` | What becomes of the Collector when the supervisor dies",
    "| `config_apply_timeout` | a duration such as 5s | `5s` | How long a new configuration may take",
    "| `max_members` | a whole number, 1 or more | `10000` | With `max_size`. |",
    "| `pin_sha256` **ours** | list of: a SHA-256 in base64",
    "| `client_ca_file` | text | – | As `opamp.tls.client_ca_file`. |",
    "| `timeout` | milliseconds such as 5000 or a duration such as 5s | `10000` |",
    "| `min_version` | one of 1.2, 1.3 | `1.2` | Oldest TLS version spoken",
    "| `accepts_packages` **ours** | true or false | `false` | Take packages from the server",
    "| `validate_config` | true or false | – | Check a new configuration",
    "### telemetry.logs.processors[].batch.exporter.otlp (supervisor.yaml)",
  ])("has %s", (line) => {
    expect(made).toContain(line);
  });

  it("tells every key apart from its neighbours: no row is without key, values and default", () => {
    const rows = made.split("\n").filter((line) => line.startsWith("| `"));
    expect(rows.length).toBeGreaterThan(200);
    for (const row of rows) expect(row).toMatch(/^\| `[\w.-]+`( \*\*ours\*\*)? \| [^|]+ \| [^|]+ \| .* ?\|$/);
  });
});
