/**
 * The body of one call over all its attempts: the same bytes each time, since a server may compare what comes under one
 * `Idempotency-Key`. A stream is sent once, and nothing brings it back.
 */
export class RequestBody {
  /** Of a form, whose boundary must stay; undefined: `fetch` finds it by itself. */
  readonly contentType: string | undefined;

  /** The stream has, and so the request, whatever that looks like. */
  failed = false;

  readonly #body: BodyInit | null;
  readonly #isStream: boolean;
  #begun = false;

  private constructor(body: BodyInit | null, isStream: boolean, contentType?: string) {
    this.#body = body;
    this.#isStream = isStream;
    this.contentType = contentType;
  }

  /** Takes a copy of what the caller could change while the call runs. */
  static async of(body: unknown): Promise<RequestBody> {
    if (body == null) {
      return new RequestBody(null, false);
    }

    if (typeof body === "object") {
      if (body instanceof ArrayBuffer) {
        return new RequestBody(body.slice(0), false);
      }

      if (ArrayBuffer.isView(body)) {
        return new RequestBody(new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice(), false);
      }

      if (body instanceof Blob) {
        return new RequestBody(body, false);
      }

      if (body instanceof URLSearchParams) {
        return new RequestBody(new URLSearchParams(body), false);
      }

      if (body instanceof FormData) {
        const form = new Response(body);
        return new RequestBody(await form.arrayBuffer(), false, form.headers.get("Content-Type") ?? undefined);
      }

      // A ReadableStream, or what Node.js takes in its place.
      if ("getReader" in body || Symbol.asyncIterator in body) {
        return new RequestBody(body as BodyInit, true);
      }
    }

    return new RequestBody(String(body), false);
  }

  /** The body can be sent once only: better ask for the leader first. */
  get sentOnce(): boolean {
    return this.#isStream;
  }

  /** True as long as the body can still be sent whole. */
  get canSend(): boolean {
    return !this.#isStream || !this.#begun;
  }

  /** The part of an attempt's `RequestInit`. */
  next(): RequestInit {
    this.#begun = true;
    return this.#isStream ? ({ body: this.#watched(), duplex: "half" } as RequestInit) : { body: this.#body };
  }

  #watched(): BodyInit {
    const fail = (error: unknown): never => {
      this.failed = true;
      throw error;
    };
    const stream = this.#body as ReadableStream | AsyncIterable<unknown>;
    if ("getReader" in stream) {
      const reader = stream.getReader();
      const pull = async (to: ReadableStreamDefaultController) => {
        const { done, value } = await reader.read().catch(fail);
        done ? to.close() : to.enqueue(value);
      };
      return new ReadableStream({ pull, cancel: (reason) => reader.cancel(reason) }, { highWaterMark: 0 });
    }

    return (async function* () {
      try {
        yield* stream;
      } catch (error) {
        fail(error);
      }
    })() as unknown as BodyInit;
  }
}
