import { backoff } from "./backoff.js";
import { Gate } from "./gate.js";
import { isDowngrade } from "./member-url.js";
import { NewestPosition, SeenEpochs } from "./newest.js";
import type { LeaderClientOptions } from "./options.js";

const firstBackoff = 500;
const longestBackoff = 15_000;
const maxLearned = 64;

/** How long others stay away from a node that one call tries after its back-off, in ms. */
const probeTime = 2_000;

type ClusterOptions = Pick<Required<LeaderClientOptions>, "nodes" | "trustReportedLeaders" | "maxConcurrent">;

/** One node as this client sees it. Changed by `Cluster` alone. */
export class Member {
  /** Failures in a row; 0 on a healthy node. */
  failures = 0;

  /** Until when others are preferred. */
  avoidUntil = 0;

  /** One call is finding out whether it is back. */
  probing = false;

  /** The highest epoch known when it failed: who still calls it the leader of that epoch has not noticed. */
  failedEpoch = 0n;

  /** When it last answered anything. */
  lastAnswer = -1;

  readonly gate: Gate;

  /**
   * @param url Its base URL.
   * @param configured Named in the options: takes part in the spread, and may name leaders.
   * @param trusted May see credentials.
   * @param maxConcurrent Requests under way to it at once.
   */
  constructor(
    readonly url: string,
    readonly configured: boolean,
    readonly trusted: boolean,
    maxConcurrent: number,
  ) {
    this.gate = new Gate(maxConcurrent);
  }
}

/** What all calls of one client share: the nodes, who leads, and which nodes do not answer. Times are `performance.now()`. */
export class Cluster {
  readonly configured: readonly Member[];
  readonly epochs: SeenEpochs;
  readonly position = new NewestPosition();

  /** The nodes say that they answer themselves, so that who does not is none. */
  showsNodes = false;

  readonly #members = new Map<string, Member>();
  readonly #options: ClusterOptions;
  #leader: { member: Member; epoch: bigint } | undefined;
  #turn = Math.floor(Math.random() * 64);

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.configured = options.nodes.map((url) => new Member(url, true, true, options.maxConcurrent));
    this.epochs = new SeenEpochs(this.configured.length);
    for (const member of this.configured) {
      this.#members.set(member.url, member);
    }
  }

  get leader(): Member | undefined {
    return this.#leader?.member;
  }

  /** May see credentials: configured, or reported and the options trust that. */
  isTrusted(url: string): boolean {
    return this.#members.get(url)?.trusted === true;
  }

  /**
   * The node for the next attempt: the leader, else the configured nodes in turn, without those that were tried in this round
   * or are avoided. A round that could try nothing takes the one that is avoided for the shortest time.
   */
  choose(toLeader: boolean, tried: ReadonlySet<Member>): Member | undefined {
    const now = performance.now();
    const leader = this.leader;
    if (toLeader && leader && !tried.has(leader) && now >= leader.avoidUntil) {
      return claim(leader, now);
    }

    this.#turn = (this.#turn + 1) % this.configured.length;
    const left = [...this.configured.slice(this.#turn), ...this.configured.slice(0, this.#turn)].filter((member) => !tried.has(member));
    const healthy = left.filter((member) => now >= member.avoidUntil);
    const next = healthy.find((member) => !member.gate.isFull) ?? healthy[0];
    if (next) {
      return claim(next, now);
    }

    const soonest = left.reduce<Member | undefined>((a, b) => (a && a.avoidUntil <= b.avoidUntil ? a : b), undefined);
    return tried.size > 0 || !soonest ? undefined : claim(soonest, now);
  }

  /** Takes in the epoch of the leader that a trusted node names; undefined: it names none. */
  hear(node: Member, epoch: bigint | undefined): void {
    if (epoch !== undefined && this.epochs.hear(node, epoch)) {
      this.position.forget(this.epochs.highest);
    }
  }

  /** Takes a given node for the next attempt, unless it is avoided. */
  tryClaim(member: Member): boolean {
    const now = performance.now();
    if (now < member.avoidUntil) {
      return false;
    }

    claim(member, now);
    return true;
  }

  /** The node gave an answer, whatever it was. */
  answered(member: Member): void {
    member.lastAnswer = performance.now();
    clear(member);
  }

  /**
   * The node could not be connected to, or was silent for too long. Calls that were under way at the same time count once: a
   * burst must not drive the back-off to its end.
   */
  failed(member: Member): void {
    const now = performance.now();
    if (now >= member.avoidUntil || member.probing) {
      member.avoidUntil = now + backoff(firstBackoff, longestBackoff, member.failures);
      member.failures++;
      member.probing = false;
    }

    raiseFailedEpoch(member, this.#leader?.epoch ?? 0n);
  }

  /** The node is not the leader any more, or not reachable: ask around. */
  forget(member: Member): void {
    if (this.#leader?.member === member) {
      raiseFailedEpoch(member, this.#leader.epoch);
      this.#leader = undefined;
    }
  }

  /**
   * Takes in who leads. Nothing older than what is known counts, and nobody who has not noticed that a node is dead. A target
   * that is new here is taken up only when a configured node names it and no encryption is lost; it becomes the leader for all
   * calls only when the options trust it.
   *
   * @param target In the one spelling.
   * @returns The target as a member; undefined when it is none and must not become one.
   */
  learn(target: string, epoch: bigint, reporter: Member): Member | undefined {
    const member = this.#findOrAdd(target, reporter);
    if (member?.trusted) {
      this.#setLeader(member, epoch);
    }

    return member;
  }

  #findOrAdd(target: string, reporter: Member): Member | undefined {
    const known = this.#members.get(target);
    if (known || !reporter.configured || isDowngrade(reporter.url, target) || this.#members.size - this.configured.length >= maxLearned) {
      return known;
    }

    const member = new Member(target, false, this.#options.trustReportedLeaders, this.#options.maxConcurrent);
    this.#members.set(target, member);
    return member;
  }

  #setLeader(member: Member, epoch: bigint): void {
    if (this.#leader && epoch < this.#leader.epoch) {
      return;
    }

    if (member.failures > 0 && epoch > member.failedEpoch) {
      clear(member);
    }

    if (performance.now() >= member.avoidUntil) {
      this.#leader = { member, epoch };
    }
  }
}

/** The next attempt goes here; the others stay away until it is clear whether the node is back. */
function claim(member: Member, now: number): Member {
  if (member.failures > 0) {
    member.probing = true;
    member.avoidUntil = now + probeTime;
  }

  return member;
}

function clear(member: Member): void {
  member.failures = 0;
  member.probing = false;
  member.avoidUntil = 0;
}

function raiseFailedEpoch(member: Member, epoch: bigint): void {
  member.failedEpoch = epoch > member.failedEpoch ? epoch : member.failedEpoch;
}
