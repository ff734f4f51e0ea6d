import type { News } from "./notification.ts";

/** Something that ends and then locks somebody out. */
export interface Credential {
  /** Names it among all; a certificate keeps it when it is renewed. */
  readonly id: string;
  /** For people, such as `the API key ci`. */
  readonly name: string;
  /** Milliseconds since the Unix epoch. */
  readonly endsAt: number;
  /** From its beginning to its end, where that is known: one for a day is not told of at once. */
  readonly lifetimeMs?: number;
}

const dayMs = 86_400_000;
/** Days before its end at which it is told of, each once. */
const steps = [30, 7, 1] as const;

/** Tells of each credential that ends soon, once at every step. */
export class Expiring {
  /** The lowest step told, by credential and the end that it had then. */
  readonly #told = new Map<string, { step: number; endsAt: number }>();

  look(credentials: readonly Credential[], now: number): News[] {
    const present = new Set(credentials.map(({ id }) => id));
    for (const id of this.#told.keys()) if (!present.has(id)) this.#told.delete(id);
    return credentials.flatMap((credential) => this.#tell(credential, now) ?? []);
  }

  #tell(
    { id, name, endsAt, lifetimeMs = Number.POSITIVE_INFINITY }: Credential,
    now: number,
  ): News | undefined {
    const days = (endsAt - now) / dayMs;
    // What is over is no longer news: whoever used it knows.
    const step =
      days <= 0 ? undefined : steps.findLast((each) => days <= each && each * dayMs <= lifetimeMs / 2);
    const former = this.#told.get(id);
    if (step === undefined || (former?.endsAt === endsAt && step >= former.step)) return undefined;
    this.#told.set(id, { step, endsAt });
    const end = new Date(endsAt).toISOString();
    return {
      kind: "credential.expiring",
      severity: step === 1 ? "critical" : "warning",
      title: `${name[0]?.toUpperCase()}${name.slice(1)} ends in ${step === 1 ? "less than a day" : `${Math.floor(days)} days`}`,
      text: `It ends at ${end}. Replace it before.`,
      about: { credential: id, ends_at: end },
    };
  }
}
