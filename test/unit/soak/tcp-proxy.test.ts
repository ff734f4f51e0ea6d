import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { TcpProxy } from "../../../soak/tcp-proxy.ts";
import { freePort } from "../../support/free-port.ts";

async function greeter(greeting: string): Promise<number> {
  const server = createServer((socket) => socket.on("error", () => undefined).end(greeting));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function ask(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  let text = "";
  socket.on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => undefined);
  await once(socket, "close");
  return text;
}

describe("the network of a soak", () => {
  it("leads where it is told, and nowhere while it is cut", async () => {
    const [one, other, port] = await Promise.all([greeter("one"), greeter("other"), freePort()]);
    const proxy = await TcpProxy.start(port, one);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    expect(await ask(port)).toBe("one");
    proxy.leadTo(other);
    expect(await ask(port)).toBe("other");
    proxy.cut();
    expect(await ask(port)).toBe("");
    proxy.mend();
    expect(await ask(port)).toBe("other");
  });
});
