/** A top-level package replaces the Agent's own program, an addon stands beside it (AP16). */
export type PackageTypeName = "top-level" | "addon";

/** The one file of one version of a package, as it was read and hashed. */
export interface PackageFile {
  /** Name of the package. */
  readonly name: string;
  readonly type: PackageTypeName;
  readonly version: string;
  readonly fileName: string;
  readonly path: string;
  /** Tells whether the file is still the one that was hashed. */
  readonly identity: string;
  /** Bytes. */
  readonly size: number;
  readonly modified: Date;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Detached; empty when there is none. */
  readonly signature: Uint8Array;
}

/** A place below the packages folder, and why it is left out. */
export interface PackageProblem {
  readonly path: string;
  readonly reason: string;
}
