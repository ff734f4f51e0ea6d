import { createTransport } from "nodemailer";
import { describeError } from "../../../foundation/errors.ts";
import { type Channel, DeliveryError } from "../delivery.ts";
import type { Notification } from "../notification.ts";
import type { EmailSettings } from "../settings.ts";

/** Sends mail by SMTP. Reached by `await import()` only: its library is for those who use it. */
export function email(settings: EmailSettings): Channel {
  const { host, port, security, username, password, from, to } = settings;
  return {
    name: "email",
    async send(notification, signal) {
      const transport = createTransport({
        host,
        port,
        secure: security === "tls",
        requireTLS: security === "starttls",
        ignoreTLS: security === "none",
        ...(username !== undefined && { auth: { user: username, pass: password ?? "" } }),
        // What a mail says is text of ours, never a file or a URL to fetch.
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      const stop = () => transport.close();
      signal.addEventListener("abort", stop, { once: true });
      try {
        await Promise.race([transport.sendMail(mailOf(notification, from, to)), whenAborted(signal)]);
      } catch (error) {
        throw toDeliveryError(error);
      } finally {
        signal.removeEventListener("abort", stop);
        transport.close();
      }
    },
  };
}

function mailOf({ id, severity, title, text, at, about }: Notification, from: string, to: readonly string[]) {
  const details = Object.entries(about).map(([name, value]) => `${name}: ${value}`);
  return {
    from,
    to: [...to],
    subject: `[opamp-server] ${severity}: ${title}`,
    // The same at each attempt: a mail that was taken although its answer was lost is the same mail.
    messageId: `<${id}@opamp-server>`,
    date: new Date(at),
    text: [text, "", ...details, ""].join("\n"),
    headers: { "Auto-Submitted": "auto-generated" },
  };
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) =>
    signal.addEventListener("abort", () => reject(new Error("it was broken off")), { once: true }),
  );
}

/** A 5xx answer is the server's last word (RFC 5321, 4.2.1); a wrong password too, until somebody changes it. */
function toDeliveryError(error: unknown): DeliveryError {
  const { responseCode } = error as { responseCode?: number };
  return new DeliveryError(describeError(error), {
    worthRetrying: responseCode === undefined || responseCode < 500,
  });
}
