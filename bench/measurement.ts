import type { Subject } from "./subjects.ts";

/** One line of the table. */
export interface Row {
  /** Short, for `--only` and the JSON file. */
  id: string;
  title: string;
  unit: string;
}

/** Values of one run, one or several for each row id; Infinity for what did not happen in the time given. */
export type Samples = Record<string, number[]>;

/** One thing to measure, giving one or more rows. */
export interface Measurement {
  /** For `--only`. */
  name: string;
  rows: readonly Row[];
  /** Kinds of subject it says something about. */
  subjects: ReadonlySet<Subject["kind"]>;
  run(subject: Subject): Promise<Samples>;
}
