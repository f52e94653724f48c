import { RequestBody } from "./body.js";
import type { Cluster, Member } from "./cluster.js";
import { LeaderRoutingError } from "./errors.js";
import { idempotencyKeyHeader, newKey, usableKey } from "./idempotency-key.js";
import { onMember } from "./member-url.js";
import type { LeaderClientOptions } from "./options.js";
import { TimeLimit, unlessAborted } from "./platform.js";

/** A `RequestInit` with what one call may ask of the routing. */
export interface LeaderRequestInit extends RequestInit {
  /**
   * True: to the leader, whatever the method (a GET under `RequireLeader`). False: to any node (a POST that only reads, under
   * `AllowOnAnyNode`). What may be repeated is decided by the method all the same.
   */
  toLeader?: boolean;

  /** Says nothing; who sends a stream has to write it for other implementations of `fetch`. */
  duplex?: "half";
}

/** The highest epoch that the client has seen. */
const seenEpochHeader = "X-Base-Seen-Epoch";

/** What a read must see; see docs/consistency.md. */
const positionHeader = "X-Base-Position";

const credentials = ["Authorization", "Proxy-Authorization", "Cookie"];

/**
 * What a node takes for the mark of a node that has forwarded the request. It refuses then where it would redirect, which a
 * page could not see. No node's id reads like this: a colon in it would be encoded.
 */
const forwardedBy = ["X-Base-Forwarded-By", "fetch:page"] as const;

/** The caller's request, and what its attempts send. */
export class CallRequest {
  /** By the method alone, as the nodes decide. */
  readonly isWrite: boolean;
  readonly toLeader: boolean;

  /** The one usable `Idempotency-Key`, the caller's or a new one; else undefined. */
  readonly key: string | undefined;

  private constructor(
    readonly url: URL,
    readonly method: string,
    readonly redirect: RequestRedirect,
    readonly signal: AbortSignal | null,
    readonly body: RequestBody,
    private readonly headers: Headers,
    private readonly rest: RequestInit,
    toLeader: boolean | undefined,
    addKey: boolean,
  ) {
    this.isWrite = !/^(GET|HEAD|OPTIONS|TRACE|CONNECT|QUERY)$/i.test(method);
    this.toLeader = toLeader ?? this.isWrite;
    const given = headers.get(idempotencyKeyHeader);
    this.key = usableKey(given);

    // A blank header names nothing and may be filled in. Another one that is no key is the caller's to answer for.
    if (this.isWrite && addKey && !given?.trim()) {
      this.key = newKey();
      headers.set(idempotencyKeyHeader, this.key);
    }

    if (body.contentType !== undefined && !headers.has("Content-Type")) {
      headers.set("Content-Type", body.contentType);
    }
  }

  /** Takes the arguments of `fetch`; throws as it does when they are wrong. */
  static async of(
    url: URL,
    input: string | URL | Request,
    init: LeaderRequestInit | undefined,
    options: Required<LeaderClientOptions>,
  ): Promise<CallRequest> {
    const { body, toLeader, signal, duplex: _, ...rest } = init ?? {};
    const checked = input instanceof Request ? new Request(input, { ...rest, ...(body != null && { body: "" }) }) : new Request(url.href, rest);
    // Where there are no pages there may be no modes.
    if ((checked.mode ?? "cors") !== "cors") {
      throw new TypeError(`mode: '${checked.mode}' hides what the nodes answer; only 'cors' works here.`);
    }

    if (body != null && /^(GET|HEAD)$/.test(checked.method)) {
      throw new TypeError("Request with GET/HEAD method cannot have body.");
    }

    const stop = signal !== undefined ? signal : input instanceof Request ? input.signal : null;
    const headers = new Headers(checked.headers);
    let given: unknown = body;
    if (input instanceof Request) {
      if (body != null) {
        // What the check's own text has brought along.
        const type = new Headers(rest.headers ?? input.headers).get("Content-Type");
        type === null ? headers.delete("Content-Type") : headers.set("Content-Type", type);
      } else if (checked.body !== null && !/^(GET|HEAD)$/.test(checked.method)) {
        // Nothing tells the text in a Request from a stream.
        const why = `was not sent: its body was not there within the deadline of ${options.deadline / 1000} s.`;
        const time = new TimeLimit(options.deadline, stop, () => new LeaderRoutingError(`${checked.method} ${url.pathname} ${why}`, []));
        given = await unlessAborted(checked.arrayBuffer(), time.signal).finally(() => time.end());
      }

      rest.credentials ??= checked.credentials;
      rest.cache ??= checked.cache;
      rest.referrer ??= checked.referrer;
      rest.referrerPolicy ??= checked.referrerPolicy;
      rest.integrity ??= checked.integrity;
      rest.keepalive ??= checked.keepalive;
    }

    return new CallRequest(
      url,
      checked.method,
      checked.redirect,
      stop,
      await RequestBody.of(given),
      headers,
      rest,
      toLeader,
      options.addIdempotencyKey,
    );
  }

  /** Executed twice is as good as once. */
  get mayRepeatUnknown(): boolean {
    return !this.isWrite || this.key !== undefined;
  }

  /** May be given up in mid-air and sent again. */
  get isRepeatable(): boolean {
    return this.mayRepeatUnknown && !this.body.sentOnce;
  }

  /** For messages; without the query, which may hold secrets. */
  get name(): string {
    return `${this.method} ${this.url.pathname}`;
  }

  urlOn(member: Member): URL {
    return onMember(member.url, this.url);
  }

  /**
   * The arguments of one attempt.
   *
   * @param authorization In place of the caller's own; undefined leaves that.
   * @param marked Ask to be refused rather than redirected.
   */
  attempt(
    member: Member,
    cluster: Cluster,
    authorization: string | undefined,
    marked: boolean,
    redirect: RequestRedirect,
    signal: AbortSignal,
  ): RequestInit {
    const headers = new Headers(this.headers);
    if (authorization !== undefined) {
      headers.set("Authorization", authorization);
    }

    if (marked) {
      headers.set(...forwardedBy);
    }

    if (this.toLeader && cluster.epochs.highest > 0n && !headers.has(seenEpochHeader)) {
      headers.set(seenEpochHeader, String(cluster.epochs.highest));
    }

    if (!(this.isWrite && this.toLeader) && cluster.position.newest && !headers.has(positionHeader)) {
      headers.set(positionHeader, cluster.position.newest);
    }

    if (!member.trusted) {
      withoutCredentials(headers);
    }

    return {
      ...this.rest,
      ...(!member.trusted && { credentials: "omit" }),
      ...this.body.next(),
      method: this.method,
      headers,
      redirect,
      signal,
    };
  }

  /**
   * What goes to a host outside the cluster, to which the application has redirected a read.
   *
   * @param status Of the redirect.
   */
  away(status: number, signal: AbortSignal): RequestInit {
    const headers = withoutCredentials(new Headers(this.headers));
    [...headers.keys()].filter((name) => name.startsWith("x-base-")).forEach((name) => headers.delete(name));
    headers.delete("Host");
    const toGet = status === 303 && this.method !== "HEAD";
    return {
      ...this.rest,
      ...(!toGet && this.body.next()),
      credentials: "omit",
      method: toGet ? "GET" : this.method,
      headers,
      redirect: "follow",
      signal,
    };
  }
}

function withoutCredentials(headers: Headers): Headers {
  credentials.forEach((name) => headers.delete(name));
  return headers;
}

/** The error of `Headers` shows the value, which may be a secret. */
export function isHeaderValue(value: unknown): value is string {
  try {
    return typeof value === "string" && new Headers({ Authorization: value }).has("Authorization");
  } catch {
    return false;
  }
}
