/**
 * Whether a listener may use this address. Entries are `HOST` for any port, `HOST:PORT`, or `*` as host
 * for any; hosts are compared as they are written. No host at all means every interface, `0.0.0.0`.
 */
export function isAllowedAddress(address: string, allowed: readonly string[]): boolean {
  const { host, port } = splitAddress(address);
  return allowed.some((entry) => {
    if (entry === address) return true;
    const want = splitAddress(entry);
    const sameHost = want.host === "*" || want.host === host;
    return sameHost && (want.port === undefined || want.port === port);
  });
}

function splitAddress(address: string): { host: string; port: string | undefined } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(address) ?? [];
  // An IPv6 address without brackets has no port.
  const host = bracketed ?? plain ?? address;
  return { host: host === "" ? "0.0.0.0" : host.toLowerCase(), port };
}
