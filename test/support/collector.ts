/** The real Collector, 0.149.0 with the opamp extension. */
export function collectorBinary(): string {
  return fromEnvironment("OTELCOL", "");
}

/** The same components under another version, 0.149.1: what a package update brings. */
export function secondCollectorBinary(): string {
  return fromEnvironment("OTELCOL_SECOND", " second");
}

/** Lacks components that a configuration may ask for: the transform processor and the filelog receiver. */
export function fewerCollectorBinary(): string {
  return fromEnvironment("OTELCOL_FEWER", " fewer");
}

function fromEnvironment(name: string, variant: string): string {
  const path = process.env[name];
  if (path) return path;
  throw new Error(`${name} is not set: run "npm test", or set it to $(node scripts/collector.mjs${variant})`);
}
