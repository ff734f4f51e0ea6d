import { describe, expect, it } from "vitest";
import { proxyOfEnvironment } from "../../../../src/foundation/proxy/environment.ts";

const both = { HTTPS_PROXY: "http://secure:1", HTTP_PROXY: "plain:2" };

function proxyOf(target: string, environment: Record<string, string>): string | undefined {
  return proxyOfEnvironment(environment)(new URL(target))?.url.host;
}

describe("the proxy that the environment names", () => {
  it.each([
    ["https://h/", "secure:1"],
    ["wss://h/", "secure:1"],
    ["http://h/", "plain:2"],
    ["ws://h/", "plain:2"],
    ["ws://localhost/", undefined],
    ["https://127.1.2.3:8080/", undefined],
    ["https://[::1]/", undefined],
  ])("for %s is %s", (target, proxy) => {
    expect(proxyOf(target, both)).toBe(proxy);
    expect(proxyOf(target, { https_proxy: "http://secure:1", http_proxy: "http://plain:2" })).toBe(proxy);
  });

  it.each(["socks5://h:1", "socks5h://u:p@h:1", "https://h:1", "h:1"])("may be %s", (HTTPS_PROXY) => {
    expect(proxyOf("wss://x/", { HTTPS_PROXY })).toBe("h:1");
  });

  it.each(["ftp://u:s3cret@h", "http://", "socks4://s3cret@h"])(
    "is complained about, and not shown: %s",
    (HTTPS_PROXY) => {
      expect(() => proxyOf("wss://x/", { HTTPS_PROXY })).toThrow(
        /^HTTPS_PROXY or HTTP_PROXY is no address of a proxy(?!.*s3cret)/,
      );
    },
  );

  it.each([
    ["example.com", "https://example.com/", true],
    ["example.com", "https://a.b.example.com/", true],
    ["example.com", "https://notexample.com/", false],
    [".example.com", "https://example.com/", false],
    [".example.com", "https://a.example.com/", true],
    ["*.example.com", "https://a.example.com/", true],
    ["EXAMPLE.com", "https://Example.COM./", true],
    ["x, example.com:8443 ,y", "https://example.com:8443/", true],
    ["example.com:8443", "https://example.com/", false],
    ["example.com:443", "https://example.com/", true],
    ["*", "https://example.com/", true],
    ["10.0.0.1", "https://10.0.0.1:99/", true],
    ["10.0.0.1", "https://10.0.0.10/", false],
    ["10.0.0.0/8", "https://10.200.3.4/", true],
    ["10.0.0.0/8", "https://11.0.0.1/", false],
    ["10.0.0.0/99", "https://10.0.0.1/", false],
    ["fd00::/8", "https://[fd12::1]/", true],
    ["fd00::1", "https://[fd00::1]/", true],
    ["[fd00::1]:443", "https://[fd00::1]/", true],
    ["10.0.0.0/8", "https://example.com/", false],
    ["", "https://example.com/", false],
    [",", "https://example.com/", false],
  ])("with NO_PROXY=%s is not used for %s: %s", (NO_PROXY, target, isExcepted) => {
    expect(proxyOf(target, { ...both, NO_PROXY })).toBe(isExcepted ? undefined : "secure:1");
  });
});
