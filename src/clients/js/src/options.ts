import { parseMember } from "./member-url.js";

/** Settings of one client. Durations are in milliseconds. */
export interface LeaderClientOptions {
  /**
   * Base URLs of the cluster's nodes as this client reaches them, without a path, all http or all https; 1 to 64. Best the
   * nodes' public targets: only these get credentials, see `trustReportedLeaders`.
   */
  nodes: readonly string[];

  /** How long one call may take until its answer is given back, all attempts and waits included. Default 30000, range 10 to a day. */
  deadline?: number;

  /**
   * After what time without response headers an attempt that may be repeated (a read, or a write with an `Idempotency-Key`) is
   * given up and tried elsewhere. Other attempts run to the `deadline`. Default 10000, or the deadline where that is shorter;
   * range 10 to `deadline`. Longer than the nodes' `BASE_WRITE_HOLD` (7.5 s by default).
   */
  attemptTimeout?: number;

  /**
   * How many requests to one node may be under way, until their answers are given back; others wait for their turn, within
   * the `deadline`. Default 256, range 1 to 10000.
   */
  maxConcurrent?: number;

  /**
   * Adds an `Idempotency-Key` to each write that has none, the same for all its attempts. Set it when the server honours the
   * key: such a write is sent again also when nobody knows whether it was executed. Default false.
   */
  addIdempotencyKey?: boolean;

  /**
   * Treats a leader's public target like a configured node once a configured node has named it: it then gets credentials and
   * is remembered. Without it, such a target is reached by redirect only and without credentials. Default false.
   */
  trustReportedLeaders?: boolean;

  /**
   * Gives the `Authorization` of each attempt, in place of the request's own; undefined leaves that. Called with the node's base URL
   * before anything is sent, and for nodes that may see credentials only. The signal fires when the caller gives up or the time of
   * the attempt is over. When it fails, so does the call, as not executed unless an earlier attempt may have been: `cause` says why.
   * Cache what is expensive.
   */
  getAuthorization?: (node: string, signal: AbortSignal) => string | undefined | Promise<string | undefined>;

  /** What sends the attempts; must do what the platform's `fetch` does, and never send a request twice. Default `globalThis.fetch`. */
  fetch?: typeof globalThis.fetch;

  /** Told once for each leader that is not one of `nodes`. Default `console.warn`. */
  warn?: (message: string) => void;
}

const day = 24 * 60 * 60 * 1000;
const maxNodes = 64;

/** The options with their defaults, checked. Throws one `TypeError` that says everything that is wrong. */
export function checkOptions(options: LeaderClientOptions): Required<LeaderClientOptions> {
  const errors: string[] = [];
  const nodes = checkNodes(options?.nodes, errors);
  const deadline = check("deadline", options?.deadline, 30_000, 10, day, errors);
  const checked = {
    nodes,
    deadline,
    attemptTimeout: check("attemptTimeout", options?.attemptTimeout, Math.min(10_000, deadline), 10, deadline, errors),
    maxConcurrent: check("maxConcurrent", options?.maxConcurrent, 256, 1, 10_000, errors),
    addIdempotencyKey: options?.addIdempotencyKey ?? false,
    trustReportedLeaders: options?.trustReportedLeaders ?? false,
    getAuthorization: options?.getAuthorization ?? (() => undefined),
    // Looked up at each call, so that tools which replace it later are seen; browsers want it called as a function of the window.
    fetch: options?.fetch ?? ((input: string | URL | Request, init?: RequestInit) => globalThis.fetch(input, init)),
    warn: options?.warn ?? ((message: string) => console.warn(message)),
  };
  if (errors.length > 0) {
    throw new TypeError(`LeaderClient: ${errors.join(" ")}`);
  }

  return checked;
}

function checkNodes(nodes: unknown, errors: string[]): string[] {
  if (!Array.isArray(nodes) || nodes.length === 0 || nodes.length > maxNodes) {
    errors.push(`nodes must hold 1 to ${maxNodes} base URLs, such as http://node-1:8080.`);
    return [];
  }

  const known = new Set<string>();
  for (const node of nodes) {
    const url = parseMember(node);
    if (url) {
      known.add(url);
    } else {
      // A URL may carry a password, and messages end up in logs.
      const shown = String(node).replace(/^.*@/s, "***@");
      errors.push(`nodes: '${shown}' must be an http or https URL of scheme, host and port only, such as http://node-1:8080.`);
    }
  }

  if (new Set([...known].map((url) => url.slice(0, url.indexOf(":")))).size > 1) {
    errors.push("nodes must be all http or all https: a call must not lose its encryption on the way.");
  }

  return [...known];
}

function check(name: string, value: unknown, standard: number, min: number, max: number, errors: string[]): number {
  const number = value ?? standard;
  if (typeof number !== "number" || !(number >= min && number <= max)) {
    errors.push(`${name} (${String(number)}) must be a number between ${min} and ${max}.`);
    return standard;
  }

  return number;
}
