import { AbortLink } from "./platform.js";

/**
 * Bounds what is under way to one node. Thousands of requests that were held up by the loss of a leader would each open a
 * connection to the next, and be slower than one after the other.
 */
export class Gate {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(places: number) {
    this.#free = places;
  }

  get isFull(): boolean {
    return this.#free === 0;
  }

  /** Waits for a place, in the order of arrival; false when none came within the time, in ms. `leave` gives it back. */
  async enter(within: number, signal: AbortSignal | null): Promise<boolean> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return true;
    }

    return new Promise((resolve, reject) => {
      const admit = () => {
        end();
        resolve(true);
      };
      const timer = setTimeout(() => {
        end();
        resolve(false);
      }, within);
      const link = new AbortLink(signal, (reason) => {
        end();
        reject(reason);
      });
      const end = () => {
        clearTimeout(timer);
        link.end();
        this.#waiting.delete(admit);
      };
      this.#waiting.add(admit);
    });
  }

  leave(): void {
    const [next] = this.#waiting;
    if (next) {
      next();
    } else {
      this.#free++;
    }
  }
}
