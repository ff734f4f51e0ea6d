import { nameBehindProxy } from "../../../support/proxies.ts";
import { type Credentials, TestAuthority } from "../../../support/test-authority.ts";

/** A private authority, a server certificate for this machine and what proxies call it, and a client certificate. */
export async function makeCertificates(): Promise<{ ca: string; server: Credentials; client: Credentials }> {
  const authority = await TestAuthority.create();
  const [server, client] = await Promise.all([
    authority.issue({
      name: "server",
      names: [
        { type: "ip", value: "127.0.0.1" },
        { type: "dns", value: "localhost" },
        { type: "dns", value: nameBehindProxy },
      ],
    }),
    authority.issue({ name: "client" }),
  ]);
  return { ca: authority.cert, server, client };
}
