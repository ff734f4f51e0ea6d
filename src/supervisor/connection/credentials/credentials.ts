import type { Clock } from "../../../foundation/clock.ts";
import type { Logger } from "../../../foundation/logger.ts";
import { proxyOfEnvironment } from "../../../foundation/proxy/environment.ts";
import { proxyFor } from "../../settings/proxy-for.ts";
import type { ServerSettings } from "../../settings/supervisor-settings.ts";
import { commandSource } from "./command-source.ts";
import { fileSource } from "./file-source.ts";
import type { HeaderSource } from "./header-source.ts";
import { oauth2Source } from "./oauth2-source.ts";
import { RenewedHeaders } from "./renewed-headers.ts";

type Headers = Readonly<Record<string, string>>;

/** Headers that this host gets from a file, a command or a token endpoint, and that are renewed without a restart. */
export class Credentials {
  readonly #sources: readonly RenewedHeaders[];

  constructor(
    server: ServerSettings,
    deps: { clock: Clock; logger: Logger; changed: () => void; random?: () => number },
  ) {
    const { clock } = deps;
    const { headersFile, headersCommand, oauth2 } = server;
    const sources: HeaderSource[] = [
      ...(headersFile === undefined ? [] : [fileSource(headersFile, () => clock.now())]),
      ...(headersCommand === undefined ? [] : [commandSource(headersCommand, clock)]),
      ...(oauth2 === undefined
        ? []
        : [oauth2Source(oauth2, proxyFor(server.proxy) ?? proxyOfEnvironment(process.env))]),
    ];
    this.#sources = sources.map((source) => new RenewedHeaders(source, deps));
  }

  /** What somebody should do something about. */
  get concerns(): readonly string[] {
    return this.#sources.flatMap(({ concern }) => concern ?? []);
  }

  /**
   * The headers for a connect that begins now: those of supervisor.yaml, and over them the ones of the sources. What the
   * server has `offered` takes the place of supervisor.yaml's, and goes over what the sources say name by name: it was
   * proven, and what it leaves out this host still needs to get in.
   * @throws Error when a source gives nothing that may be good.
   */
  async headers(fromFile: Headers, offered: Headers | undefined): Promise<Record<string, string>> {
    const present = await Promise.allSettled(this.#sources.map((source) => source.present()));
    const failed = present.find((each) => each.status === "rejected");
    // What was offered may do without.
    if (failed !== undefined && offered === undefined) throw failed.reason;
    const own = present.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    return overlay(offered === undefined ? [fromFile, ...own] : [...own, offered]);
  }

  /** The server has refused them (HTTP 401). */
  refuse(): void {
    for (const source of this.#sources) source.refuse();
  }

  stop(): void {
    for (const source of this.#sources) source.stop();
  }
}

/** The later ones win, whatever letters their names are written in. */
function overlay(layers: readonly Headers[]): Record<string, string> {
  const merged = new Map<string, readonly [string, string]>();
  for (const [name, value] of layers.flatMap((layer) => Object.entries(layer)))
    merged.set(name.toLowerCase(), [name, value]);
  return Object.fromEntries(merged.values());
}
