/*
 * What the failures of `fetch` prove. Node.js says what happened, as the cause of a TypeError; browsers keep it from the page,
 * and there every failure may have come after the request was executed.
 */

interface SystemError {
  code?: unknown;
  syscall?: unknown;
  message?: unknown;
  errors?: unknown;
}

/** True for what a network can do; anything else is a mistake in the call, and goes up. */
export function isOfTransport(error: unknown): boolean {
  if (!(error instanceof TypeError)) {
    return false;
  }

  const cause = error.cause as SystemError | undefined;
  return cause == null || (typeof cause.code === "string" && !/^UND_ERR_(INVALID_ARG|NOT_SUPPORTED)$/.test(cause.code)) || Array.isArray(cause.errors);
}

/** True when the platform tells why: without that, nothing tells a dead node from a broken connection. */
export function tellsWhy(error: unknown): boolean {
  return error instanceof TypeError && error.cause != null;
}

/** True when no connection came about. Where that is not said in so many words, the outcome is unknown. */
export function nothingWasSent(error: unknown): boolean {
  const cause = error instanceof TypeError ? (error.cause as SystemError | undefined) : undefined;
  return cause != null && beforeConnecting(cause);
}

export function describe(error: unknown): string {
  const cause = (error as { cause?: SystemError } | undefined)?.cause;
  const message = String(cause?.message || (error as SystemError | undefined)?.message || error);
  return typeof cause?.code === "string" && !message.includes(cause.code) ? `${cause.code}: ${message}` : message;
}

function beforeConnecting(cause: SystemError): boolean {
  if (Array.isArray(cause.errors) && cause.errors.length > 0) {
    // All addresses of a name were tried.
    return cause.errors.every((error) => error instanceof Error && beforeConnecting(error));
  }

  const code = String(cause.code);
  return (
    cause.syscall === "connect" ||
    cause.syscall === "getaddrinfo" ||
    code === "UND_ERR_CONNECT_TIMEOUT" ||
    // A certificate that was refused, and a handshake that was broken off.
    /^(CERT_|ERR_TLS_CERT_|SELF_SIGNED_CERT_|DEPTH_ZERO_SELF_SIGNED_CERT$|UNABLE_TO_(GET|VERIFY)_)/.test(code) ||
    (code === "ECONNRESET" && String(cause.message).startsWith("Client network socket disconnected before secure TLS connection"))
  );
}
