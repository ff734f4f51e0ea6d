import { BlockList, isIP } from "node:net";

const addresses = new BlockList();
addresses.addSubnet("127.0.0.0", 8, "ipv4");
addresses.addAddress("::1", "ipv6");

/** Whether what is said to that host does not leave this machine. An IPv6 address may be in brackets, as URL has it. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, "");
  if (address === "localhost") return true;
  const family = isIP(address);
  return family !== 0 && addresses.check(address, family === 6 ? "ipv6" : "ipv4");
}
