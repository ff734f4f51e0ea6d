import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface ReceivedMail {
  from: string;
  to: string[];
  /** Headers and text, as they came. */
  data: string;
}

const replies: Readonly<Record<string, string>> = {
  DATA: "354 go on",
  QUIT: "221 bye",
  STARTTLS: "502 there is none",
};

/** A mail server that speaks as much of RFC 5321 as a client needs; no TLS. Gone when the test ends. */
export class SmtpServer {
  readonly mails: ReceivedMail[] = [];
  /** What it says when a mail is handed over; takes it when that begins with 2. */
  verdict = "250 taken";
  readonly port: number;

  static async start(): Promise<SmtpServer> {
    const sockets = new Set<Socket>();
    const listener = createServer().listen(0, "127.0.0.1");
    await once(listener, "listening");
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      listener.close();
    });
    const server = new SmtpServer((listener.address() as AddressInfo).port);
    listener.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.write("220 test\r\n");
      server.#converse(socket);
    });
    return server;
  }

  private constructor(port: number) {
    this.port = port;
  }

  #converse(socket: Socket): void {
    let mail: ReceivedMail = { from: "", to: [], data: "" };
    let inData = false;
    let rest = "";
    socket.on("data", (chunk) => {
      const lines = (rest + chunk.toString()).split("\r\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (inData && line !== ".") {
          mail.data += `${line.replace(/^\.\./, ".")}\n`;
          continue;
        }
        if (inData) {
          inData = false;
          if (this.verdict.startsWith("2")) this.mails.push(mail);
          mail = { from: "", to: [], data: "" };
          socket.write(`${this.verdict}\r\n`);
          continue;
        }
        const address = /<(.*?)>/.exec(line)?.[1] ?? "";
        if (line.startsWith("MAIL ")) mail.from = address;
        if (line.startsWith("RCPT ")) mail.to.push(address);
        inData = line === "DATA";
        socket.write(`${replies[line] ?? "250 ok"}\r\n`);
      }
    });
  }
}
