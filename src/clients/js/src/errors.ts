/** What one node said during a call that failed. */
export interface NodeReport {
  /** The node's base URL. */
  readonly node: string;
  /** How often this call was sent there; 0 when it was avoided, or not asked for other reasons. */
  readonly attempts: number;
  /** The last answer or failure, for people; its wording may change. */
  readonly lastWord: string;
}

/**
 * No node answered the call within its deadline, or it could not be sent again. A `TypeError`, as `fetch` throws it, for those who
 * do not care why: the call was a read, or a write that was certainly not executed, so whoever retries such errors may.
 */
export class LeaderRoutingError extends TypeError {
  override name = "LeaderRoutingError";

  /** What each node said, in the order of the first contact; nodes that were not asked are listed last. */
  readonly nodes: readonly NodeReport[];

  constructor(message: string, nodes: readonly NodeReport[], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.nodes = nodes;
  }
}

/**
 * A write may have been executed, and may not; only the server's data can tell. On purpose no `LeaderRoutingError` and no
 * `TypeError`: code that retries takes those for failures after which to send the write again.
 */
export class OutcomeUnknownError extends Error {
  override name = "OutcomeUnknownError";

  /** What each node said, in the order of the first contact; nodes that were not asked are listed last. */
  readonly nodes: readonly NodeReport[];

  /** The usable `Idempotency-Key` it was sent with, under which the application may send it again; else undefined. */
  readonly idempotencyKey: string | undefined;

  /** The 502 of a node, or the answer of a gateway, its body unread; undefined when the connection just broke, or was silent. */
  readonly response: Response | undefined;

  constructor(message: string, nodes: readonly NodeReport[], cause?: unknown, idempotencyKey?: string, response?: Response) {
    super(message, cause === undefined ? undefined : { cause });
    this.nodes = nodes;
    this.idempotencyKey = idempotencyKey;
    this.response = response;
  }
}
