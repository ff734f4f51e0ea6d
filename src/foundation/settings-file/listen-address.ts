import { field, type SettingSchema, textOf } from "./field.ts";
import { describeValue } from "./setting-value.ts";

/** Where a listener is bound. Port 0 takes any free one. */
export interface ListenAddress {
  /** An IP address or host name, without the brackets of IPv6; empty for every interface. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `:port` or `[::1]:port`. `message` words the complaint about a port that is no port. */
export function listenAddress(message?: (port: string) => string): SettingSchema<ListenAddress> {
  return field((value, complain) => {
    const [, bracketed, plain, port] =
      /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(textOf(value) ?? "") ?? [];
    const host = bracketed ?? plain;
    if (host === undefined || port === undefined) {
      return complain(`expected an address such as localhost:13133, got ${describeValue(value)}`);
    }
    if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535) return { host, port: Number(port) };
    const shown = value.origin === undefined ? port : describeValue(value);
    return complain(message?.(shown) ?? `expected a port from 0 to 65535, got ${shown}`);
  });
}
