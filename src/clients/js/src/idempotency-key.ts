/* The client's name for one write (draft-ietf-httpapi-idempotency-key-header), read as the nodes read it. */

export const idempotencyKeyHeader = "Idempotency-Key";

/**
 * The one usable key of a header, or undefined. A blank one protects nothing, and neither do two: `Headers` joins lines by a
 * comma, which may stand only inside of one quoted string (RFC 9651 section 3.3.3).
 */
export function usableKey(header: string | null): string | undefined {
  const key = header?.trim() ?? "";
  if (!key.startsWith('"')) {
    return key === "" || key.includes(",") ? undefined : key;
  }

  return /^"(?:[^"\\]|\\[^])*"$/.test(key) && key.slice(1, -1).trim() !== "" ? key : undefined;
}

/** A new key, a structured-field string as the draft asks for. */
export function newKey(): string {
  // randomUUID is for secure contexts only. Node.js 18 has no global crypto; a key must be unique, not secret.
  const bytes = new Uint8Array(16);
  if (typeof crypto === "undefined") {
    bytes.forEach((_, i) => (bytes[i] = Math.random() * 256));
  } else {
    crypto.getRandomValues(bytes);
  }

  return `"${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}"`;
}
