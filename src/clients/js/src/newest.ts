import type { Member } from "./cluster.js";

/** A node that has not heard of its next leader yet soon has. In ms. */
const patience = 5_000;

/**
 * The highest epoch that the nodes have named, by which a leader finds out that it is not the last one. A cluster that was started
 * anew may count from a lower one, and nobody would ever name the highest again: once most nodes have named lower ones for
 * some time, and none the highest, that is forgotten.
 */
export class SeenEpochs {
  /** 0: none is known. */
  highest = 0n;

  readonly #nodes: number;
  readonly #lower = new Map<Member, bigint>();
  #lowerSince = 0;

  constructor(nodes: number) {
    this.#nodes = nodes;
  }

  /**
   * @param node Who says it; must be trusted.
   * @param epoch Of the leader that it names; 0: that one has none.
   * @returns True when the highest is forgotten.
   */
  hear(node: Member, epoch: bigint): boolean {
    if (epoch >= this.highest) {
      this.#settle(epoch);
      return false;
    }

    // Others may be one of these by another name, and would count twice.
    if (!node.configured) {
      return false;
    }

    if (this.#lower.size === 0) {
      this.#lowerSince = performance.now();
    }

    this.#lower.set(node, epoch);
    if (2 * this.#lower.size <= this.#nodes || performance.now() - this.#lowerSince < patience) {
      return false;
    }

    this.#settle([...this.#lower.values()].reduce((a, b) => (a > b ? a : b)));
    return true;
  }

  #settle(highest: bigint): void {
    this.highest = highest;
    this.#lower.clear();
  }
}

/**
 * The newest position that an answer to a write has brought: a position only makes a read fresher. A write that was sent after the
 * last position had come is the later one, whatever its position says: a cluster under a static leader, or started anew, may count
 * from lower numbers. Of writes that overlap, answers overtake each other, and the higher position is kept, which version 1 of them
 * tells: a byte of version, one of the length of a key's id, that id, and the epoch and the number, of 8 bytes each.
 */
export class NewestPosition {
  newest: string | undefined;

  #taken = 0;

  /** Which position is the newest, for the next write to tell. */
  get taken(): number {
    return this.#taken;
  }

  /** @param before `taken` when the write was sent whose answer it is from. */
  take(position: string, before: number): void {
    if (position === "" || position.length > 200 || position === this.newest) {
      return;
    }

    const [old, next] = [read(this.newest), read(position)];
    if (before === this.#taken || old === undefined || next === undefined || next > old) {
      this.newest = position;
      this.#taken++;
    }
  }

  /** The cluster counts from lower epochs again: nobody will ever have reached a position of a higher one. */
  forget(above: bigint): void {
    const known = read(this.newest);
    if (known === undefined || known >> 64n > above) {
      this.newest = undefined;
    }
  }
}

/** Epoch and number as one; undefined for what is not of version 1. */
function read(position: string | undefined): bigint | undefined {
  try {
    const bytes = Array.from(atob((position ?? "").replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
    const start = 2 + (bytes[1] ?? 0);
    const numbers = bytes.slice(start, start + 16);
    return bytes[0] === 1 && numbers.length === 16 ? numbers.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) : undefined;
  } catch {
    return undefined;
  }
}
