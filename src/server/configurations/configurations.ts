import type { Clock } from "../../foundation/clock.ts";
import type { Database } from "../storage/database.ts";
import type { CollectorCheck, Verdict } from "./collector-check.ts";
import { isConfigTemplate, parseConfigTemplate, readTemplate } from "./config-template.ts";
import type { Configuration } from "./configuration.ts";
import { configurationRows } from "./configuration-rows.ts";
import { type Rendering, renderLayers } from "./rendering.ts";
import type { ReadSecret } from "./secret-reference.ts";
import { type PlacedProblem, TemplateError } from "./template-error.ts";
import type { Values } from "./variables.ts";
import { type NewVersion, Versions } from "./versions.ts";
import { ConfigurationBodyError, configurationFromBody } from "./yaml-body.ts";

/** A layer by its name; without a version the newest. */
export interface LayerWish {
  name: string;
  version?: number | undefined;
  values: Values;
}

/** A layer as it was rendered. */
export interface RenderedLayer {
  readonly name: string;
  readonly version: number;
  readonly values: Values;
}

/** What layers have come to, and what is to be said of it. */
export interface Rendered extends Rendering {
  readonly layers: readonly RenderedLayer[];
  /** Undefined: no Collector is set, or it was not asked. */
  readonly collector: Verdict | undefined;
}

export interface ConfigurationsOptions {
  database: Database;
  clock: Clock;
  readSecret: ReadSecret;
  /** Undefined: none is set. */
  collector: CollectorCheck | undefined;
}

/** What can be run: named configurations, and what comes of them. */
export class Configurations {
  readonly versions: Versions;
  readonly #options: ConfigurationsOptions;

  constructor(options: ConfigurationsOptions) {
    this.#options = options;
    this.versions = new Versions(options);
  }

  /**
   * What a posted body would be as a version: a document of `kind: ConfigTemplate`, or a configuration kept byte for byte.
   * @throws ConfigurationBodyError, TemplateError
   */
  read(name: string, body: Uint8Array, contentType?: string): Pick<NewVersion, "content" | "message"> {
    const posted = configurationFromBody(body, { empty: false, contentType });
    const text = new TextDecoder().decode(body);
    const tree = readTemplate(text);
    if (!isConfigTemplate(tree)) {
      const { map } = posted;
      return { content: { map, entries: map.configMap, variables: undefined }, message: "" };
    }
    const template = parseConfigTemplate(tree);
    if (template.name !== undefined && template.name !== name) {
      throw new ConfigurationBodyError(
        `the document's name is ${template.name}, but it was posted for ${name}`,
      );
    }
    const { map } = configurationFromBody(Buffer.from(template.text), { empty: false });
    return {
      content: { map, entries: map.configMap, variables: template.variables },
      message: template.message ?? "",
    };
  }

  /** @throws NoSuchVersionError, TemplateError, ConfigurationBodyError */
  async render(wishes: readonly LayerWish[], { ask = true }: { ask?: boolean } = {}): Promise<Rendered> {
    const layers = await Promise.all(
      wishes.map(async ({ name, version, values }) => ({
        version: await this.versions.get(name, version),
        values,
      })),
    );
    const rendering = renderLayers(layers);
    this.#checkSecrets(rendering.configuration);
    const verdict = ask ? await this.#options.collector?.check(rendering.configuration) : undefined;
    return {
      ...rendering,
      layers: layers.map(({ version, values }) => ({ name: version.name, version: version.number, values })),
      collector: verdict,
    };
  }

  /** Keeps what was rendered, so that it can be told later what a hash was made of, and gone back to. */
  async keep({ layers }: Pick<Rendered, "layers">, configuration: Configuration): Promise<void> {
    const now = this.#options.clock.now();
    await this.#options.database.transaction(async (transaction) => {
      await configurationRows.save(transaction, configuration, now);
      await transaction
        .insertInto("configuration_renderings")
        .values({ hash: configuration.hashHex, layers: JSON.stringify(layers), created_at: now })
        .onConflict((conflict) => conflict.column("hash").doUpdateSet({ created_at: now }))
        .execute();
    });
  }

  #checkSecrets({ secrets }: Configuration): void {
    const problems = secrets.flatMap((name): PlacedProblem[] => {
      const secret = this.#options.readSecret(name);
      return "problem" in secret ? [{ place: "", message: secret.problem }] : [];
    });
    if (problems.length > 0) throw new TemplateError(problems);
  }
}
