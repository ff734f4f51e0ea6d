import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { PackagesSettings } from "../../../../src/server/settings/server-settings.ts";
import { fetchJson } from "../../../support/raw-agent.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { startTestServer, type TestServer } from "../test-server.ts";

/** Files by their path below the packages folder. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

export async function writeFiles(directory: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

export interface PackageServer extends TestServer {
  directory: string;
  /** The URL of a path on the OpAMP listener. */
  download: (path: string) => URL;
  post: (path: string, body?: unknown) => ReturnType<typeof fetchJson<Record<string, unknown>>>;
}

/** A server on a packages folder with these files, which it has read. */
export async function startPackageServer(
  files: Files,
  settings: Partial<PackagesSettings> = {},
): Promise<PackageServer> {
  const directory = tempDir();
  await writeFiles(directory, files);
  const packages = { directory, url: undefined, headers: {}, maxDownloads: 100, ...settings };
  const online = await startTestServer({ packages });
  const post = (path: string, body?: unknown) =>
    fetchJson(online.api(path), { method: "POST", body: body === undefined ? "" : JSON.stringify(body) });
  await post("/api/v1/packages/rescan");
  const base = new URL("/", online.server.opampUrl.href.replace(/^ws/, "http"));
  return { ...online, directory, download: (path) => new URL(path, base), post };
}
