/*
 * Tells the nodes' own answers from the application's, and both from those of a gateway before them. Statuses alone do not: a bare
 * 502 or 503 may be the application's word, and a 307 one of its own redirects.
 */

import { isOfTransport } from "./failure.js";
import { isDowngrade, memberOf, parseMember, rawPathAndQuery, tryParse } from "./member-url.js";

/** What one attempt means for the call. */
export type Meaning =
  /** An answer of the application, whatever its status: it goes to the caller. */
  | "final"
  /** To the leader; nothing was executed. */
  | "redirected"
  /** The node says that it executed nothing, and may say when to come back. */
  | "refused"
  /** No connection came about, so nothing was executed. */
  | "unreachable"
  /** A node between says that nobody knows whether it was executed (502), or the platform hides what was answered. */
  | "outcome unknown"
  /** The connection broke after the request may have left. */
  | "broken"
  /** No response headers within the attempt's time. */
  | "timed out";

export interface Answer {
  readonly meaning: Meaning;
  /** What to tell people about it. */
  readonly word: string;
  readonly response?: Response;
  readonly error?: unknown;
  /** What the node asks for, in ms; undefined when it does not say. */
  readonly retryAfter?: number | undefined;
  /** The base URL of the leader that it points to. */
  readonly target?: string | undefined;
  /** The leader's epoch; 0 when the node does not say. */
  readonly epoch?: bigint;
  /** The node itself calls the target the leader, it is not the application that redirects. */
  readonly namedByNode?: boolean;
  /** On a refusal with `not leader`: it knows of one, named or not. */
  readonly leaderKnown?: boolean;
  /** To the same node at once: asked in another way, it may take it. */
  readonly again?: boolean;
}

const maxBytes = 64 * 1024;

/** In ms: enough for what is written at once; not much for who waits for the first piece of a stream. */
const arrival = 100;

/** In ms, for the rest of an answer that is of no use. */
const patience = 1_000;

/**
 * Reads what came from where the request was sent. Its response can be read as if nobody had looked, and the given one no more.
 *
 * @param unseenWrite A write to nodes that show themselves: who answers 502, 503 or 504 and does not is a gateway, which knows
 * nothing of what its node has done.
 */
export async function readAnswer(response: Response, sent: URL, unseenWrite: boolean): Promise<Answer> {
  if (response.redirected) {
    // Somebody else's answer, to whom the platform was sent by the application.
    return { meaning: "final", word: `${response.status} after a redirect`, response };
  }

  if (response.type === "opaqueredirect") {
    return { meaning: "outcome unknown", word: "a redirect that this platform hides", response };
  }

  const { status, headers } = response;
  if (headers.get("X-Base-Not-Executed") === "1") {
    // Enough without a body, which may never come; but where the header with the leader is not shown, it is named there.
    const [problem, kept] = headers.has("X-Base-Leader") ? [undefined, response] : readProblem(response);
    return refusal(kept, `${status} not executed`, await problem?.catch(() => undefined));
  }

  if (status === 307) {
    return readRedirect(response, sent);
  }

  const [reading, kept] = status === 502 || status === 503 ? readProblem(response) : [undefined, response];
  const problem = await reading;
  const error = status === 200 ? grpcError(headers) : text(problem, "error");

  // Behind a node that shows itself, who does not mark a refusal is the application: the node always does, and lets nobody
  // else. Where BASE_PUBLIC_INFO is off the words are all there is; whoever uses them says the same by them.
  const words = ["no leader", "not leader", "leader unreachable", "not executed"];
  if (status !== 502 && error !== undefined && words.includes(error) && !headers.has("X-Base-Node")) {
    return refusal(kept, `${status} ${error}`, problem);
  }

  if (status !== 503 && error === "outcome unknown") {
    return { meaning: "outcome unknown", word: `${status} ${error}`, response: kept };
  }

  return unseenWrite && [502, 503, 504].includes(status) && !headers.has("X-Base-Node")
    ? { meaning: "outcome unknown", word: `${status} of a gateway`, response: kept }
    : application(kept);
}

/** The epoch of the leader that a response names; 0 when it does not say, as under a static leader. */
export function epochOf(headers: Headers): bigint {
  const epoch = headers.get("X-Base-Epoch");
  return epoch !== null && /^\d{1,19}$/.test(epoch) ? BigInt(epoch) : 0n;
}

/** The same; undefined when the node knows of no leader, and 0 for one that has no epoch. */
export function namedEpochOf(headers: Headers): bigint | undefined {
  const epoch = epochOf(headers);
  return epoch > 0n || headers.has("X-Base-Leader") ? epoch : undefined;
}

/** Lets go of a response that nobody will read: a small one is read to its end, so that its connection can be used again. */
export function discard(response: Response | undefined): void {
  if (!response?.body || response.bodyUsed) {
    return;
  }

  const reader = response.body.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  if (!(Number(response.headers.get("Content-Length") ?? Infinity) <= maxBytes)) {
    return cancel();
  }

  const timer = setTimeout(cancel, patience);
  const drain = (): Promise<void> => reader.read().then(({ done }) => (done ? undefined : drain()));
  void drain()
    .catch(() => {})
    .finally(() => clearTimeout(timer));
}

/**
 * Has a short answer arrive to its end, so that one that breaks off fails here. One that is long, or takes its time, goes on as it
 * comes, and what else it fails of is its reader's to see.
 *
 * @param left In ms, of the time that the attempt has.
 * @returns The answer in place of the other, which nobody may use any more.
 */
export async function arrive(response: Response, left: number): Promise<Response> {
  const { headers, body, bodyUsed } = response;
  const isStream = /^(text\/event-stream|application\/grpc)/i.test(headers.get("Content-Type") ?? "");
  if (typeof body?.getReader !== "function" || bodyUsed || body.locked || isStream || Number(headers.get("Content-Length")) > maxBytes) {
    return response;
  }

  // Not the other way round: Node.js ends the original's body itself when the caller gives up, unless that has a reader.
  const kept = response.clone();
  try {
    await readBounded(response, Math.min(left, arrival));
  } catch (error) {
    if (isOfTransport(error)) {
      throw error;
    }
  }

  return kept;
}

/** A string member of a JSON object; undefined when there is no such thing. */
export function text(json: unknown, name: string): string | undefined {
  const value = member(json, name);
  return typeof value === "string" ? value : undefined;
}

/** What is said in JSON, within a limit; undefined when it is something else, or too long. Fails as its transport does. */
export async function readJson(response: Response): Promise<unknown> {
  const bytes = await readBounded(response);
  try {
    return bytes && JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function member(json: unknown, name: string): unknown {
  return (json as Record<string, unknown> | null | undefined)?.[name];
}

function application(response: Response): Answer {
  return { meaning: "final", word: String(response.status), response, retryAfter: waitOf(response.headers) };
}

/** @param problem What its body says, which may be who leads; undefined: nobody has looked. */
function refusal(response: Response, word: string, problem: unknown): Answer {
  const { headers } = response;
  const epoch = member(problem, "epoch");
  return {
    meaning: "refused",
    word,
    response,
    retryAfter: waitOf(headers),
    target: parseMember(headers.get("X-Base-Leader") ?? text(problem, "leader")),
    epoch: epochOf(headers) || (Number.isSafeInteger(epoch) && (epoch as number) > 0 ? BigInt(epoch as number) : 0n),
    leaderKnown: member(problem, "leader_known") === true,
  };
}

/** In ms, below 0 for a time that has passed. A date counts from the server's clock: the client's may be wrong by hours. */
function waitOf(headers: Headers): number | undefined {
  const after = headers.get("Retry-After")?.trim() ?? "";
  if (/^\d{1,9}$/.test(after)) {
    return Number(after) * 1000;
  }

  const until = dateOf(after);
  return until === undefined ? undefined : until - (dateOf(headers.get("Date") ?? "") ?? Date.now());
}

function dateOf(http: string): number | undefined {
  const time = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(http) ? Date.parse(http) : NaN;
  return Number.isNaN(time) ? undefined : time;
}

/** A node sends the client to the same path on the leader, byte for byte. Whatever else redirects is the application. */
async function readRedirect(response: Response, sent: URL): Promise<Answer> {
  const location = response.headers.get("Location") ?? "";
  const url = tryParse(location);
  const target = url && memberOf(url);
  if (!target || rawPathAndQuery(location) !== sent.pathname + sent.search) {
    return application(response);
  }

  const isItself = target === sent.origin;
  const named = !isItself && parseMember(response.headers.get("X-Base-Leader")) === target;
  const [problem, kept] = named ? [undefined, response] : readProblem(response, "application/json");
  const saysSo = text(await problem, "error") === "not leader";
  if (isItself) {
    // One address for several nodes: behind it stands another one each time.
    return saysSo ? refusal(kept, "307 to itself", undefined) : application(kept);
  }

  return { meaning: "redirected", word: `307 to ${target}`, response: kept, target, epoch: epochOf(response.headers), namedByNode: named || saysSo };
}

/** True for what `fetch` takes for a redirect. */
export function isRedirect(response: Response): boolean {
  return response.headers.has("Location") && [301, 302, 303, 307, 308].includes(response.status);
}

/** Where a redirect leads to; undefined when that is nowhere `fetch` would go, or the encryption would be lost. */
export function targetOf(redirect: Response, sent: URL): URL | undefined {
  const target = tryParse(redirect.headers.get("Location")!, sent);
  return target && memberOf(target) && !isDowngrade(sent.href, target.href) ? target : undefined;
}

/** A gRPC-Web call gets its refusal as a status without a message (trailers-only): UNAVAILABLE, or UNKNOWN. */
function grpcError(headers: Headers): string | undefined {
  if (!headers.get("Content-Type")?.startsWith("application/grpc")) {
    return undefined;
  }

  const message = headers.get("grpc-message") ?? undefined;
  return { 14: message !== "outcome unknown" ? message : undefined, 2: message === "outcome unknown" ? message : undefined }[
    headers.get("grpc-status") as "2" | "14"
  ];
}

/**
 * @param also Another type that it may have, with a length.
 * @returns What a body says that is a problem, and the response in place of the other, which nobody may use any more.
 */
function readProblem(response: Response, also?: string): [Promise<unknown> | undefined, Response] {
  const type = response.headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase();
  const length = response.headers.get("Content-Length");
  const hasLength = length !== null && Number(length) > 0 && Number(length) <= maxBytes;
  if (!(type === "application/problem+json" ? length === null || hasLength : type === also && hasLength)) {
    return [undefined, response];
  }

  const kept = response.clone();
  return [readJson(response), kept];
}

/** @param enough In ms, after which nobody waits for more; undefined: never. */
async function readBounded(response: Response, enough?: number): Promise<Uint8Array | undefined> {
  const reader = response.body?.getReader();
  if (!reader) {
    return new Uint8Array();
  }

  const cancel = () => void reader.cancel().catch(() => {});
  const timer = enough === undefined ? undefined : setTimeout(cancel, enough);
  try {
    let bytes = new Uint8Array();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (bytes.length + part.value.length > maxBytes) {
        cancel();
        return undefined;
      }

      const longer = new Uint8Array(bytes.length + part.value.length);
      longer.set(bytes);
      longer.set(part.value, bytes.length);
      bytes = longer;
    }

    return bytes;
  } finally {
    clearTimeout(timer);
  }
}
