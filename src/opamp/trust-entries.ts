/** The content type of the one entry of a configuration map that holds its signature. */
export const signatureContentType = "application/vnd.opamp-supervisor.config-signature";

/** The content type of entries that give a host other keys; the signature covers them like any other entry. */
export const rotationContentType = "application/vnd.opamp-supervisor.config-key-rotation";

/** Whether an entry is about trust, and no part of the Collector's configuration. */
export function isTrustEntry({ contentType }: { contentType: string }): boolean {
  return contentType === signatureContentType || contentType === rotationContentType;
}
