import { arrive, discard, epochOf, isRedirect, namedEpochOf, readAnswer, readJson, targetOf, text, type Answer } from "./answer.js";
import { atLeast, backoff } from "./backoff.js";
import type { Cluster, Member } from "./cluster.js";
import { LeaderRoutingError, OutcomeUnknownError, type NodeReport } from "./errors.js";
import { describe, isOfTransport, nothingWasSent, tellsWhy } from "./failure.js";
import { isDowngrade, parseMember } from "./member-url.js";
import type { LeaderClientOptions } from "./options.js";
import { sleep, TimeLimit, unlessAborted } from "./platform.js";
import { isHeaderValue, type CallRequest } from "./request.js";

const firstPause = 100;
const longestPause = 1_000;

/** With less time left another round would only make an unknown outcome of what was not executed so far. */
const shortestRound = 50;
const lookupTimeout = 4_000;
const maxAsked = 3;
const maxForeign = 64;

/** Nodes that point at each other agree soon. */
const maxHops = 5;

/** What the calls of one client share. */
export interface Routing {
  readonly options: Required<LeaderClientOptions>;
  readonly cluster: Cluster;
  /** Leaders that are not members, of which somebody was told. */
  readonly foreignLeaders: Set<string>;
  /** The platform keeps redirects to itself, so what goes to the leader asks to be refused instead. */
  hidden: boolean;
  /**
   * Where redirects are hidden: the nodes name a leader that this client must not take for one, so a node has to send the
   * request there, or the platform after a redirect; `unfollowed` when that would lose the encryption.
   */
  passedOn: false | "followed" | "unfollowed";
}

/**
 * One call from request to answer, over as many attempts as its deadline allows. Repeats what certainly was not executed; what
 * may have been only when it is a read or carries one usable `Idempotency-Key`. Used once.
 */
export class RoutedCall {
  readonly #routing: Routing;
  readonly #request: CallRequest;
  readonly #words = new Map<Member, { attempts: number; word: string }>();
  readonly #tried = new Set<Member>();
  readonly #start: number;
  #hops = 0;
  #pauses = 0;

  /** A copy of the write may have been executed. Holds for good: no later answer takes it back. */
  #inDoubt = false;

  /** An answer to this call has. */
  #brokeOff = false;

  /** The application redirects this read, and the platform may follow. */
  #following = false;

  /** @param start When the call began, of which its deadline counts. */
  constructor(routing: Routing, request: CallRequest, start: number) {
    this.#routing = routing;
    this.#request = request;
    this.#start = start;
  }

  async run(): Promise<Response> {
    const { cluster } = this.#routing;
    const { toLeader, body, signal, isWrite } = this.#request;
    signal?.throwIfAborted();

    // Step 1: who can send its body only once asks for the leader first.
    if (toLeader && body.sentOnce && !cluster.leader) {
      await this.#askForLeader();
    }

    let member: Member | undefined;
    while (true) {
      // Step 2: choose a node; when each has had its turn, wait for the next round.
      member ??= cluster.choose(toLeader, this.#tried);
      if (!member) {
        await this.#pause("no node could take it");
        continue;
      }

      // Step 3: one attempt.
      const answer = await this.#attempt(member);
      if (!answer) {
        member = undefined;
        continue;
      }

      this.#inDoubt ||= isWrite && isUnknown(answer);
      if (this.#isLastWord(answer)) {
        const target = this.#targetOf(answer, this.#request.urlOn(member));
        if (!target) {
          return answer.response!;
        }

        discard(answer.response);
        if (!cluster.isTrusted(target.origin)) {
          return this.#goAway(target, answer.response!.status);
        }

        this.#following = true;
        continue;
      }

      // Step 4: the node to go to, undefined for any, or an end.
      member = await this.#followUp(member, answer);
    }
  }

  get #elapsed(): number {
    return performance.now() - this.#start;
  }

  /** Undefined when the wait for a place has shown that somebody else is to be asked. */
  async #attempt(member: Member): Promise<Answer | undefined> {
    const { options, cluster } = this.#routing;
    const { signal, toLeader, isRepeatable } = this.#request;
    const { failures } = member;
    const { leader } = cluster;
    if (!(await member.gate.enter(Math.max(0, options.deadline - this.#elapsed), signal))) {
      throw this.#fail(`the deadline is over, and ${options.maxConcurrent} requests to ${member.url} are still under way`);
    }

    try {
      const hasMoved = cluster.leader && cluster.leader !== leader && cluster.leader !== member;
      if (member.failures > failures || (toLeader && hasMoved)) {
        return undefined;
      }

      const left = options.deadline - this.#elapsed;
      if (left <= 0) {
        throw this.#fail("the deadline is over");
      }

      const answer = await this.#send(member, isRepeatable ? Math.min(options.attemptTimeout, left) : left);
      const known = this.#words.get(member);
      this.#words.set(member, { attempts: (known?.attempts ?? 0) + 1, word: answer.word });
      return answer;
    } finally {
      member.gate.leave();
    }
  }

  /** Sends one copy to one node. Thrown are only the caller's own cancellation, and that there is no authorization to send. */
  async #send(member: Member, limit: number): Promise<Answer> {
    const attempt = new TimeLimit(limit, this.#request.signal);
    let body: object | null | undefined;
    try {
      const authorization = member.trusted ? await this.#authorize(member, limit) : undefined;
      const answer = await this.#exchange(member, authorization, attempt, limit);
      body = answer.response?.body;
      return answer;
    } finally {
      attempt.end(body);
    }
  }

  /**
   * Nothing is sent before this. A failure in here says nothing of the node, nor of the write. It leaves the attempt enough time for
   * an answer.
   */
  async #authorize(member: Member, limit: number): Promise<string | undefined> {
    const { signal } = this.#request;
    const time = new TimeLimit(limit - Math.min(limit / 2, shortestRound), signal);
    let value: unknown;
    try {
      value = await unlessAborted(Promise.resolve(this.#routing.options.getAuthorization(member.url, time.signal)), time.signal);
    } catch (error) {
      signal?.throwIfAborted();
      const why = time.signal.aborted ? "gave no answer in the time of the attempt" : `failed: ${describe(error)}`;
      throw this.#fail(`getAuthorization ${why}`, { meaning: "unreachable", word: "", error });
    } finally {
      time.end();
    }

    if (value == null || isHeaderValue(value)) {
      return value ?? undefined;
    }

    throw this.#fail("getAuthorization gave something else than the value of a header");
  }

  /** Failures of the transport are answers too. */
  async #exchange(member: Member, authorization: string | undefined, attempt: TimeLimit, limit: number): Promise<Answer> {
    const { cluster, options, hidden, passedOn } = this.#routing;
    const marked = hidden && !passedOn && this.#request.toLeader;
    const started = performance.now();
    const before = cluster.position.taken;
    try {
      const url = this.#request.urlOn(member);
      const init = this.#request.attempt(member, cluster, authorization, marked, this.#redirectMode(hidden), attempt.signal);
      const response = await options.fetch(url.href, init);
      cluster.answered(member);
      if (!response.redirected && member.trusted) {
        this.#hear(member, response.headers);
        this.#learn(response.headers.get("X-Base-Leader"), epochOf(response.headers), member);
      }

      // From whomever a node has named the leader: it is no secret, and a wrong one makes a read slower at most.
      if (!response.redirected && this.#request.isWrite) {
        cluster.position.take(response.headers.get("X-Base-Position") ?? "", before);
      }

      const answer = await readAnswer(response, url, this.#request.isWrite && cluster.showsNodes);
      if (answer.meaning === "final" && this.#request.isRepeatable && !this.#brokeOff) {
        return await this.#arrive(answer, attempt.stop());
      }

      return marked ? this.#readRefusal(member, answer) : this.#readHidden(hidden, answer);
    } catch (error) {
      this.#request.signal?.throwIfAborted();
      const { failed } = this.#request.body;
      const { aborted } = attempt.signal;
      if (!aborted && !failed && !isOfTransport(error)) {
        throw error;
      }

      const answer = judge(error, failed, aborted ? limit : undefined);
      this.#remember(member, answer, started);
      return answer;
    }
  }

  /** A node may be killed in the middle of its answer. A second one that breaks off is the application's doing, and the caller's to see. */
  async #arrive(answer: Answer, left: number): Promise<Answer> {
    try {
      const response = await arrive(answer.response!, left);
      this.#request.signal?.throwIfAborted();
      return { ...answer, response };
    } catch (error) {
      this.#brokeOff = true;
      throw error;
    }
  }

  /** Reads what is outside the cluster, to which the application has redirected: the platform would take all headers along. */
  async #goAway(url: URL, status: number): Promise<Response> {
    const { options } = this.#routing;
    const time = new TimeLimit(options.deadline - this.#elapsed, this.#request.signal, () => this.#fail("the deadline is over"));
    let body: object | null = null;
    try {
      const response = await options.fetch(url.href, this.#request.away(status, time.signal));
      body = response.body;
      return Object.defineProperty(response, "redirected", { value: true });
    } finally {
      time.end(body);
    }
  }

  /** Whether the platform may follow: an application that redirects a read, and where redirects are hidden whoever may. */
  #redirectMode(hidden: boolean): RequestRedirect {
    const { redirect, toLeader } = this.#request;
    const mayFollow = this.#following || (hidden && !(toLeader && this.#routing.passedOn === "unfollowed"));
    return mayFollow ? redirect : "manual";
  }

  /** A node that refuses what it would else have redirected says who leads. */
  #readRefusal(member: Member, answer: Answer): Answer {
    const { target, epoch = 0n } = answer;
    if (answer.meaning !== "refused" || target === member.url || !(target || answer.leaderKnown)) {
      return this.#readHidden(true, answer);
    }

    if (target && this.#learn(target, epoch, member)?.trusted) {
      return { ...answer, meaning: "redirected", word: `${answer.word}, to ${target}`, namedByNode: true };
    }

    this.#routing.passedOn = target && isDowngrade(member.url, target) ? "unfollowed" : "followed";
    return { ...answer, again: true };
  }

  /** A redirect that cannot be seen is the caller's if he asked for it; else it may be anything. */
  #readHidden(hidden: boolean, answer: Answer): Answer {
    if (answer.response?.type !== "opaqueredirect") {
      return answer;
    }

    this.#routing.hidden = true;
    return hidden && this.#request.redirect === "manual" ? { ...answer, meaning: "final" } : answer;
  }

  /** Takes in what a trusted node says of the cluster. */
  #hear(member: Member, headers: Headers): void {
    const { cluster } = this.#routing;
    cluster.hear(member, namedEpochOf(headers));
    cluster.showsNodes ||= headers.has("X-Base-Node");
  }

  /** Takes in whom a node calls the leader. */
  #learn(leader: string | null, epoch: bigint, reporter: Member): Member | undefined {
    const target = parseMember(leader);
    if (!target) {
      return undefined;
    }

    const member = this.#routing.cluster.learn(target, epoch, reporter);
    const { foreignLeaders, options } = this.#routing;
    if (member?.trusted) {
      this.#routing.passedOn = false;
    } else if (!foreignLeaders.has(target) && foreignLeaders.size < maxForeign) {
      foreignLeaders.add(target);
      options.warn(
        `LeaderClient: ${reporter.url} calls ${target} the leader, which is not one of nodes, so it gets no credentials. ` +
          "Name the nodes by their BASE_PUBLIC_TARGET.",
      );
    }

    return member;
  }

  // A connection that breaks may have been an old one: the node stays in turn, but is not taken for the leader. Where the
  // platform does not say what broke, it may as well be dead. One slow request does not make a dead node.
  #remember(member: Member, answer: Answer, started: number): void {
    const { cluster } = this.#routing;
    const isSilent = member.lastAnswer <= started;
    if (answer.meaning === "timed out" && !isSilent) {
      return;
    }

    if (answer.meaning !== "broken" || (isSilent && !tellsWhy(answer.error))) {
      cluster.failed(member);
    }

    cluster.forget(member);
  }

  /** True when the caller gets this response: the application's word, or one that nothing better can follow. */
  #isLastWord(answer: Answer): boolean {
    switch (answer.meaning) {
      case "final":
        // Behind an outcome that nobody knows, 409 with Retry-After means that the first copy still runs.
        return !(this.#inDoubt && answer.response!.status === 409 && answer.retryAfter !== undefined);
      case "redirected":
        return !answer.namedByNode && !this.#routing.cluster.isTrusted(answer.target!);
      case "refused":
        return !this.#request.body.canSend;
      default:
        return false;
    }
  }

  /** Where the application redirects to, and the caller wants that followed. What a write has led to is the caller's to read. */
  #targetOf(answer: Answer, sent: URL): URL | undefined {
    const { redirect, isWrite } = this.#request;
    if (this.#following || answer.meaning === "refused" || redirect === "manual" || !isRedirect(answer.response!)) {
      return undefined;
    }

    if (redirect === "error") {
      // The application had the write.
      this.#inDoubt ||= isWrite;
      throw this.#fail("it was redirected, which redirect: 'error' does not allow", answer);
    }

    const target = isWrite ? undefined : targetOf(answer.response!, sent);
    if (target) {
      this.#checkBody(answer);
    }

    return target;
  }

  #checkBody(last: Answer): void {
    if (!this.#request.body.canSend) {
      throw this.#fail("its body was a stream, which cannot be sent again", last);
    }
  }

  async #followUp(from: Member, answer: Answer): Promise<Member | undefined> {
    if (isUnknown(answer) && !this.#request.mayRepeatUnknown) {
      throw this.#fail("it may have been executed and has no usable Idempotency-Key", answer);
    }

    this.#checkBody(answer);
    discard(answer.response);
    switch (answer.meaning) {
      case "redirected":
        return this.#follow(from, answer);
      case "refused":
        if (answer.again && ++this.#hops <= maxHops) {
          return from;
        }

        this.#routing.cluster.forget(from);
        await this.#pause(answer.word, answer.retryAfter);
        return undefined;
      case "final":
        await this.#pause("409, the first copy still runs", answer.retryAfter);
        return undefined;
      default:
        this.#tried.add(from);
        return undefined;
    }
  }

  async #follow(from: Member, answer: Answer): Promise<Member | undefined> {
    const { cluster } = this.#routing;
    if (isDowngrade(from.url, answer.target!)) {
      throw this.#fail(`${from.url} redirects to ${answer.target}, which would lose the encryption`, answer);
    }

    // Whoever redirects does not lead, whatever epoch it was known by.
    cluster.forget(from);
    const target = this.#learn(answer.target!, answer.epoch ?? 0n, from);
    if (!target) {
      // Only a configured node may name a new one: ask those.
      this.#tried.add(from);
      return undefined;
    }

    if (++this.#hops <= maxHops && cluster.tryClaim(target)) {
      return target;
    }

    // The others have not noticed yet that the leader is gone, or do not agree on one.
    await this.#pause(answer.word);
    return undefined;
  }

  async #pause(reason: string, asked?: number): Promise<void> {
    const { deadline } = this.#routing.options;
    const delay = Math.max(backoff(firstPause, longestPause, this.#pauses++), asked === undefined ? 0 : atLeast(asked));
    if (this.#elapsed + delay + shortestRound >= deadline) {
      throw this.#fail(`the deadline of ${deadline / 1000} s leaves no time for another round (${reason})`);
    }

    await sleep(delay, this.#request.signal);
    this.#tried.clear();
    this.#hops = 0;
  }

  /** Asks nodes at `GET /_ha/leader`, without the caller's headers. To learn nothing is no error. */
  async #askForLeader(): Promise<void> {
    const { cluster, options, hidden } = this.#routing;
    const { signal } = this.#request;
    const asked = new Set<Member>();
    while (asked.size < maxAsked && !cluster.leader) {
      const left = options.deadline - this.#elapsed;
      const member = left > 0 ? cluster.choose(false, asked) : undefined;
      if (!member) {
        return;
      }

      asked.add(member);
      const question = new TimeLimit(Math.min(lookupTimeout, left), signal);
      try {
        const init: RequestInit = { redirect: "manual", credentials: "omit", cache: "no-store", signal: question.signal };
        const response = await options.fetch(`${member.url}/_ha/leader`, init);
        cluster.answered(member);
        this.#hear(member, response.headers);
        this.#learn(response.ok ? (text(await readJson(response), "leader_url") ?? null) : null, epochOf(response.headers), member);
        discard(response);
      } catch (error) {
        signal?.throwIfAborted();
        if (!question.signal.aborted && !isOfTransport(error)) {
          throw error;
        }

        // A page is not let see what a node of another origin answers here, which looks the same.
        if (!hidden) {
          cluster.failed(member);
        }
      } finally {
        question.end();
      }
    }
  }

  #fail(why: string, last?: Answer): LeaderRoutingError | OutcomeUnknownError {
    const asked: NodeReport[] = [...this.#words].map(([member, { attempts, word }]) => ({ node: member.url, attempts, lastWord: word }));
    const others = this.#routing.cluster.configured.filter((member) => !this.#words.has(member));
    const nodes = asked.concat(
      others.map(({ url, failures }) => ({ node: url, attempts: 0, lastWord: failures > 0 ? "not asked, avoided after failures" : "not asked" })),
    );
    const words = nodes.map(({ node, attempts, lastWord }) => `${node}${attempts > 1 ? ` (${attempts} times)` : ""}: ${lastWord}`);
    const outcome = this.#inDoubt ? "may or may not have been executed" : "was not answered";
    const message = `${this.#request.name} ${outcome} after ${(this.#elapsed / 1000).toFixed(3)} s: ${why}. ${words.join("; ")}.`;
    const says = this.#inDoubt && last?.meaning === "outcome unknown" && last.response?.type !== "opaqueredirect";
    const said = says ? last.response : undefined;
    if (!said) {
      discard(last?.response);
    }

    return this.#inDoubt
      ? new OutcomeUnknownError(message, nodes, last?.error, this.#request.key, said)
      : new LeaderRoutingError(message, nodes, last?.error);
  }
}

function isUnknown(answer: Answer): boolean {
  return answer.meaning === "outcome unknown" || answer.meaning === "broken" || answer.meaning === "timed out";
}

/** @param bodyFailed The error is that of the caller's stream, which says nothing of the connection. */
function judge(error: unknown, bodyFailed: boolean, timedOutAfter: number | undefined): Answer {
  if (timedOutAfter !== undefined) {
    return { meaning: "timed out", word: `no answer within ${timedOutAfter / 1000} s`, error };
  }

  return { meaning: !bodyFailed && nothingWasSent(error) ? "unreachable" : "broken", word: describe(error), error };
}
