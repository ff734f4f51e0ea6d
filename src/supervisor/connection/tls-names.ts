const curves: Readonly<Record<string, string>> = {
  X25519: "X25519",
  P256: "prime256v1",
  P384: "secp384r1",
  P521: "secp521r1",
};

/**
 * OpenSSL's name of a cipher suite that the settings name as IANA and Go do:
 * `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` is `ECDHE-RSA-AES128-GCM-SHA256`. Names of TLS 1.3 are the same.
 */
export function opensslCipher(name: string): string {
  const match = /^TLS_(?:(ECDHE_RSA|ECDHE_ECDSA|RSA)_WITH_)(.+)$/.exec(name);
  if (match === null) return name;
  const [, exchange = "", cipher = ""] = match;
  const short = cipher
    .replace(/_SHA256$/, (end) => (cipher.startsWith("CHACHA20") ? "" : end))
    .replace(/^AES_(\d+)/, "AES$1")
    .replace("_CBC", "")
    .replace(/^3DES_EDE/, "DES-CBC3")
    .replace(/^RC4_128/, "RC4")
    .replaceAll("_", "-");
  return exchange === "RSA" ? short : `${exchange.replaceAll("_", "-")}-${short}`;
}

/** OpenSSL's name of a curve that the settings name as Go does. */
export function opensslCurve(name: string): string {
  return curves[name] ?? name;
}
