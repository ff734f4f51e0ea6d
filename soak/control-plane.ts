import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What of `GET /api/v1/agents/ID` counts here. */
export interface AgentView {
  connected: boolean;
  health: { healthy: boolean; status: string; last_error?: string } | null;
  remote_config_status: { status: string; hash: string; error?: string } | null;
  desired_config_hash: string | null;
  effective_config: Record<string, string> | null;
  packages: Record<string, { status: string; version?: string; error?: string }> | null;
}

/** opamp-server, asked and told over its API as an operator does. */
export class ControlPlane {
  readonly #url: string;
  readonly #packages: string;

  constructor(managementPort: number, packages: string) {
    this.#url = `http://127.0.0.1:${managementPort}`;
    this.#packages = packages;
  }

  /** The one agent there is; undefined while the server does not know it, or does not answer. */
  async agent(): Promise<AgentView | undefined> {
    try {
      const { agents } = (await this.#ask("GET", "/api/v1/agents")) as { agents: { id: string }[] };
      const [first] = agents;
      return first && ((await this.#ask("GET", `/api/v1/agents/${first.id}`)) as AgentView);
    } catch {
      return undefined;
    }
  }

  /** Makes it the desired configuration; resolves to its hash. */
  async push(configuration: object): Promise<string> {
    const body = JSON.stringify(configuration);
    const answer = await this.#ask("POST", "/api/v1/config", body, "application/yaml");
    return (answer as { config_hash: string }).config_hash;
  }

  /** Puts a file in the folder of packages and makes it the desired Collector. */
  async offerPackage(version: string, content: string): Promise<void> {
    const folder = join(this.#packages, "otelcol", version);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, ".otelcol"), content, { mode: 0o755 });
    await rename(join(folder, ".otelcol"), join(folder, "otelcol"));
    await this.#ask("POST", "/api/v1/packages/rescan");
    await this.#ask("POST", "/api/v1/packages/offer", JSON.stringify({ packages: { otelcol: version } }));
  }

  /** Takes every package back. */
  async withdrawPackages(): Promise<void> {
    await this.#ask("POST", "/api/v1/packages/offer", JSON.stringify({ packages: {} }));
  }

  async #ask(method: string, path: string, body?: string, type = "application/json"): Promise<unknown> {
    const headers = body === undefined ? {} : { "content-type": type };
    const response = await fetch(new URL(path, this.#url), {
      method,
      headers,
      ...(body !== undefined && { body }),
      signal: AbortSignal.timeout(5_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the server refused ${method} ${path}: ${text}`);
    return JSON.parse(text);
  }
}
