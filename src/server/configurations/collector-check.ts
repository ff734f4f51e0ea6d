import type { Configuration } from "./configuration.ts";
import { fillSecrets } from "./configuration-composer.ts";
import type { ReadSecret } from "./secret-reference.ts";

/** What a Collector says of a configuration; `undecided`: it could not be asked. */
export type Verdict =
  | { readonly verdict: "valid" }
  | { readonly verdict: "invalid" | "undecided"; readonly reason: string };

/** Has a Collector check texts of YAML, merged in this order, without starting it. The reason may quote them. */
export type AskCollector = (texts: readonly string[]) => Promise<Verdict>;

export interface CollectorCheckOptions {
  ask: AskCollector;
  readSecret: ReadSecret;
}

/** Checks at the same time; more wait. */
const atOnce = 2;
/** More than that many wait for nobody. */
const mostWaiting = 32;

/** A Collector that configurations are shown to, a few at a time. */
export class CollectorCheck {
  readonly #options: CollectorCheckOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: CollectorCheckOptions) {
    this.#options = options;
  }

  /** The reason shows no secret. */
  async check({ map, secrets }: Configuration): Promise<Verdict> {
    const { ask, readSecret } = this.#options;
    const filled = fillSecrets(map.configMap, secrets, readSecret);
    if ("impossible" in filled) return { verdict: "undecided", reason: filled.impossible };
    if (this.#waiting.length >= mostWaiting) {
      return { verdict: "undecided", reason: "too many configurations are being validated: try again later" };
    }
    await this.#turn();
    try {
      const texts = Object.values(filled.entries).map(({ body }) => new TextDecoder().decode(body));
      const answer = await ask(texts);
      if (answer.verdict === "valid") return answer;
      const reason = filled.texts.reduce(
        (text, secret) => text.replaceAll(secret, "[secret]"),
        answer.reason,
      );
      return { ...answer, reason };
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    if (this.#running >= atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running += 1;
  }
}
