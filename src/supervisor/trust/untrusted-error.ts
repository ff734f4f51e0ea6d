/** Why a configuration is not trusted, in one word that a script can look for. */
export type TrustProblem =
  | "unsigned"
  | "altered"
  | "unknown key"
  | "wrong audience"
  | "replayed"
  | "expired"
  | "not yet valid"
  | "keys unreadable";

/** A configuration that this host does not trust; the message begins with the word. */
export class UntrustedError extends Error {
  override readonly name = "UntrustedError";
  readonly problem: TrustProblem;
  /** It may pass by itself, since it hangs on this host (its clock, its files) and not on the configuration. */
  readonly passing: boolean;

  constructor(problem: TrustProblem, because: string, { passing = false } = {}) {
    super(`${problem}: ${because}`);
    this.problem = problem;
    this.passing = passing;
  }
}
