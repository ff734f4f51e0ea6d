import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** The network between the supervisor and its server: it can be cut, and lead elsewhere. */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: number;
  #isCut = false;

  /** Listens on `port` of loopback and leads to `target`. */
  static async start(port: number, target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(port, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#join(client));
  }

  /** Ends every connection and takes none. */
  cut(): void {
    this.#isCut = true;
    this.#drop();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** Ends every connection; the next ones lead to this port. */
  leadTo(port: number): void {
    this.#target = port;
    this.#drop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#drop();
    await once(this.#server, "close");
  }

  #drop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  #join(client: Socket): void {
    if (this.#isCut) {
      client.destroy();
      return;
    }
    const server = connect(this.#target, "127.0.0.1");
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
