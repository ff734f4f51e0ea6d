import { BlockList, isIP, isIPv4 } from "node:net";

/** Addresses that may come: single ones and networks in CIDR notation. */
export class AddressList {
  readonly #list = new BlockList();

  /** @throws Error that names the entry which is neither. */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const [address = "", prefix] = entry.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      const bits = family === "ipv6" ? 128 : 32;
      const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : bits + 1;
      if (isIP(address) === 0 || length > bits) {
        throw new Error(`expected an address or a network such as 10.0.0.0/8, got ${JSON.stringify(entry)}`);
      }
      this.#list.addSubnet(address, length, family);
    }
  }

  includes(remoteAddress: string): boolean {
    const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/, "");
    return this.#list.check(address, isIPv4(address) ? "ipv4" : "ipv6");
  }
}
