/** True where `fetch` shows a page neither where it was redirected nor why it failed. */
export function hidesRedirects(): boolean {
  const global = globalThis as { process?: { versions?: { node?: string } }; Deno?: unknown; document?: unknown; importScripts?: unknown };
  const isServer = global.process?.versions?.node !== undefined || global.Deno !== undefined;
  return !isServer && (global.document !== undefined || global.importScripts !== undefined);
}

/** Waits, unless the caller gives up first. */
export function sleep(ms: number, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      link.end();
      resolve();
    }, ms);
    const link = new AbortLink(signal, (reason) => {
      clearTimeout(timer);
      reject(reason);
    });
  });
}

/** What the promise comes to, unless the caller gives up first. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | null): Promise<T> {
  return new Promise((resolve, reject) => {
    const link = new AbortLink(signal, reject);
    promise.then(resolve, reject).finally(() => link.end());
  });
}

/** Calls back when a signal fires, at once if it has. */
export class AbortLink {
  readonly #callback: AbortCallback;
  readonly #links: Set<AbortCallback> | undefined;

  constructor(signal: AbortSignal | null, callback: AbortCallback) {
    this.#callback = callback;
    if (signal?.aborted) {
      callback(signal.reason);
    } else if (signal) {
      this.#links = linksOf(signal).add(callback);
    }
  }

  end(): void {
    this.#links?.delete(this.#callback);
  }

  /** Ends when nobody can use the object any more; a signal may live as long as its page. */
  endWith(object: object): void {
    if (this.#links) {
      endings.register(object, { links: new WeakRef(this.#links), callback: new WeakRef(this.#callback) });
    }
  }
}

/** A signal that fires when the time is over, or the caller gives up. */
export class TimeLimit {
  readonly #over = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #until: number;
  readonly #link: AbortLink;

  /**
   * @param ms From now on.
   * @param signal The caller's, whose reason is passed on.
   * @param reason Gives the one of the time.
   */
  constructor(ms: number, signal: AbortSignal | null, reason?: () => unknown) {
    this.#until = performance.now() + ms;
    this.#timer = setTimeout(() => this.#over.abort(reason?.()), ms);
    this.#link = new AbortLink(signal, (why) => this.#over.abort(why));
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** The time counts no longer. Returns what is left of it, in ms. */
  stop(): number {
    clearTimeout(this.#timer);
    return Math.max(0, this.#until - performance.now());
  }

  /** The same, and that of the caller neither, unless he may still give up the reading of a body. */
  end(body?: object | null): void {
    this.stop();
    body ? this.#link.endWith(body) : this.#link.end();
  }
}

type AbortCallback = (reason: unknown) => void;

/** One listener for each signal: Node.js warns of more than ten. */
const links = new WeakMap<AbortSignal, Set<AbortCallback>>();

/** Weak on both sides: the signal holds the callbacks, and with them what they would abort. */
const endings = new FinalizationRegistry<{ links: WeakRef<Set<AbortCallback>>; callback: WeakRef<AbortCallback> }>((link) => {
  const callback = link.callback.deref();
  if (callback) {
    link.links.deref()?.delete(callback);
  }
});

function linksOf(signal: AbortSignal): Set<AbortCallback> {
  const known = links.get(signal);
  if (known) {
    return known;
  }

  const callbacks = new Set<AbortCallback>();
  links.set(signal, callbacks);
  signal.addEventListener("abort", () => [...callbacks].forEach((callback) => callback(signal.reason)), { once: true });
  return callbacks;
}
