import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A certificate and its private key, as PEM. */
export interface Credentials {
  cert: string;
  key: string;
}

export interface CertificateOptions {
  /** Common name. */
  name?: string;
  /** Subject alternative names; default: this machine's loopback. */
  names?: x509.JsonGeneralNames;
  /** Default: a minute ago, and an hour from now. */
  notBefore?: Date;
  notAfter?: Date;
}

/** A certificate authority for one test, and what it does about requests. */
export class TestAuthority {
  /** PEM. */
  readonly cert: string;
  readonly #root: x509.X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  static async create(name = "Test CA"): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      keys,
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    return new TestAuthority(root, keys);
  }

  private constructor(root: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#root = root;
    this.#keys = keys;
    this.cert = root.toString("pem");
  }

  /** A key pair and its certificate. */
  async issue(options: CertificateOptions = {}): Promise<Credentials> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
    const cert = await this.#sign(keys.publicKey, `CN=${options.name ?? "test"}`, options);
    return { cert, key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY") };
  }

  /**
   * Signs a request, its subject and names as they were asked for unless `options` say otherwise.
   * @throws when the request does not prove that its key is held.
   */
  async sign(csr: string, options: CertificateOptions = {}): Promise<string> {
    const request = new x509.Pkcs10CertificateRequest(csr);
    if (!(await request.verify())) throw new Error("the request is not signed by its key");
    const asked = request.getExtension("2.5.29.17");
    const own = asked && new x509.SubjectAlternativeNameExtension(asked.rawData).names.toJSON();
    const names = options.names ?? own;
    const subject = options.name === undefined ? request.subject : `CN=${options.name}`;
    return this.#sign(request.publicKey, subject, { ...options, ...(names && { names }) });
  }

  async #sign(
    publicKey: x509.PublicKeyType,
    subject: string,
    { names, notBefore, notAfter }: CertificateOptions,
  ): Promise<string> {
    const loopback: x509.JsonGeneralNames = [
      { type: "ip", value: "127.0.0.1" },
      { type: "dns", value: "localhost" },
    ];
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: this.#root.subject,
      publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: algorithm,
      notBefore: notBefore ?? new Date(Date.now() - 60_000),
      notAfter: notAfter ?? new Date(Date.now() + 3_600_000),
      extensions: [new x509.SubjectAlternativeNameExtension(names ?? loopback)],
    });
    return certificate.toString("pem");
  }
}
