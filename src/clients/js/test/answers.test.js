import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LeaderClient, LeaderRoutingError, OutcomeUnknownError } from "../dist/index.js";

/**
 * @typedef {{ url: string, method: string, headers: Headers, body: any, signal: AbortSignal } & RequestInit} Sent
 * @typedef {Response | Error | ((sent: Sent) => Response | Promise<Response>)} Answer
 */

/**
 * A client of nodes that are not there: each attempt meets the next of the answers, and 200 after the last.
 *
 * @param {Answer[]} answers
 * @param {Partial<import("../dist/index.js").LeaderClientOptions>} [options]
 */
function clientOf(answers, options) {
  /** @type {Sent[]} */
  const sent = [];
  const client = new LeaderClient({
    nodes: ["http://a"],
    deadline: 60_000,
    warn: () => {},
    fetch: async (input, init) => {
      const attempt = /** @type {Sent} */ ({ method: "GET", ...init, url: String(input), headers: new Headers(init?.headers) });
      sent.push(attempt);
      assert.ok(sent.length <= 500, "a flood");
      const answer = answers.shift() ?? new Response("");
      if (answer instanceof Error) {
        throw answer;
      }

      return typeof answer === "function" ? answer(attempt) : answer;
    },
    ...options,
  });
  return { client, sent, urls: () => sent.map(({ url }) => url) };
}

/** @param {number} status @param {Record<string, string>} headers @param {BodyInit | null} [body] */
const answer = (status, headers = {}, body = null) => new Response(body, { status, headers });

/** @param {number} status @param {object} value @param {Record<string, string>} [headers] */
const json = (status, value, headers, type = "application/problem+json") => {
  const body = JSON.stringify(value);
  return answer(status, { "Content-Type": type, "Content-Length": String(body.length), ...headers }, body);
};

/** @param {LeaderClient} client @param {import("../dist/index.js").LeaderRequestInit} [init] */
const write = (client, init = {}, path = "/notes") => client.fetch(path, { method: "POST", body: "x", ...init });

/** @param {() => boolean} condition */
async function until(condition) {
  while (!condition()) {
    await new Promise(setImmediate);
  }
}

/** Time that stands still but for `pass`, which ends with what is waited for. @param {import("node:test").TestContext} t */
function virtualTime(t) {
  let now = 0;
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(performance, "now", () => now);
  return {
    get now() {
      return now;
    },
    /** @param {number} ms */
    tick: (ms) => ((now += ms), t.mock.timers.tick(ms)),
    /** @template T @param {Promise<T>} promise @returns {Promise<T>} */
    async pass(promise) {
      let isOver = false;
      void promise.catch(() => {}).finally(() => (isOver = true));
      while (!isOver) {
        await new Promise(setImmediate);
        assert.ok(now < 600_000, "it does not end");
        this.tick(isOver ? 0 : 1);
      }

      return promise;
    },
  };
}

/** Says nothing until the attempt is given up. @type {Answer} */
const silent = ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

/** @param {object} cause */
const failure = (cause) => new TypeError("fetch failed", { cause: Object.assign(new Error("it failed"), cause) });

describe("what an answer says of a write", () => {
  /** @param {Answer} first */
  const outcomeOf = async (first) => {
    const { client, sent } = clientOf([first]);
    const came = await write(client).then((response) => response.status, (error) => error.constructor);
    return sent.length === 2 ? "sent again" : came;
  };

  it("by the words of a node that does not show itself", async () => {
    for (const error of ["no leader", "not leader", "leader unreachable", "not executed"]) {
      assert.equal(await outcomeOf(json(503, { error })), "sent again");
      assert.equal(await outcomeOf(json(503, { error }, { "X-Base-Node": "a" })), 503);
      assert.equal(await outcomeOf(json(502, { error })), 502);
    }

    assert.equal(await outcomeOf(json(502, { error: "outcome unknown" })), OutcomeUnknownError);
    assert.equal(await outcomeOf(json(503, { error: "no leader", more: "x".repeat(70_000) })), 503);
  });

  it("by the status of gRPC-Web, which has no body", async () => {
    for (const [type, status, message, came] of /** @type {[string, string, string, unknown][]} */ ([
      ["application/grpc-web+proto", "14", "no leader", "sent again"],
      ["application/grpc-web", "14", "outcome unknown", 200],
      ["application/grpc-web", "2", "outcome unknown", OutcomeUnknownError],
      ["application/grpc-web", "2", "no leader", 200],
      ["application/grpc-web", "5", "no leader", 200],
      ["text/plain", "14", "no leader", 200],
    ])) {
      const headers = { "Content-Type": type, "grpc-status": status, "grpc-message": message };
      assert.equal(await outcomeOf(answer(200, headers)), came, JSON.stringify(headers));
    }
  });

  it("by the mark of a refusal, whatever becomes of its body", async () => {
    const broken = () => new ReadableStream({ pull: (to) => to.error(new TypeError("terminated")) });
    const never = () => new ReadableStream();
    const marked = { "X-Base-Not-Executed": "1", "Content-Type": "application/problem+json" };
    assert.equal(await outcomeOf(answer(503, marked, broken())), "sent again");
    assert.equal(await outcomeOf(answer(503, { ...marked, "X-Base-Leader": "http://a" }, never())), "sent again");

    // The caller of one that cannot be sent again sees what became of it.
    const { client } = clientOf([answer(200, { "X-Base-Leader": "http://a", "X-Base-Epoch": "1" }), answer(503, marked, broken())]);
    await client.fetch("/");
    await assert.rejects((await write(client, { body: new Blob(["s"]).stream(), duplex: "half" })).text(), /terminated/);
  });

  it("by why it failed: only what comes before a connection was not executed", async () => {
    const each = (/** @type {string[]} */ ...calls) => calls.map((syscall) => Object.assign(new Error("it failed"), { syscall }));
    for (const [cause, came] of /** @type {[object, unknown][]} */ ([
      [{ code: "ECONNREFUSED", syscall: "connect" }, "sent again"],
      [{ code: "ENOTFOUND", syscall: "getaddrinfo" }, "sent again"],
      [{ code: "UND_ERR_CONNECT_TIMEOUT" }, "sent again"],
      [{ code: "CERT_HAS_EXPIRED" }, "sent again"],
      [{ code: "ERR_TLS_CERT_ALTNAME_INVALID" }, "sent again"],
      [{ code: "ECONNRESET", message: "Client network socket disconnected before secure TLS connection was established" }, "sent again"],
      [{ code: "ECONNREFUSED", errors: each("connect", "connect") }, "sent again"],
      [{ code: "ECONNREFUSED", errors: each("connect", "read") }, OutcomeUnknownError],
      [{ errors: [] }, OutcomeUnknownError],
      [{ code: "ECONNRESET", syscall: "read", message: "read ECONNRESET" }, OutcomeUnknownError],
      [{ code: "UND_ERR_HEADERS_TIMEOUT" }, OutcomeUnknownError],
      [{ code: "UND_ERR_BODY_TIMEOUT" }, OutcomeUnknownError],
      [{ code: "UND_ERR_SOCKET" }, OutcomeUnknownError],
      [{ code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" }, OutcomeUnknownError],
      [{ code: "UND_ERR_INVALID_ARG" }, TypeError],
      [{ message: "bad port" }, TypeError],
    ])) {
      assert.equal(await outcomeOf(failure(cause)), came, JSON.stringify(cause));
    }

    assert.equal(await outcomeOf(new TypeError("Failed to fetch")), OutcomeUnknownError);
    assert.equal(await outcomeOf(new RangeError("not of the network")), RangeError);
  });

  it("by the method, wherever it is sent", async () => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "LOCK"]) {
      const { client, sent } = clientOf([failure({ code: "UND_ERR_SOCKET" })]);
      await assert.rejects(client.fetch("/notes", { method, toLeader: false }), OutcomeUnknownError);
      assert.equal(sent.length, 1);
    }

    for (const method of ["GET", "HEAD", "OPTIONS", "QUERY"]) {
      const { client, sent } = clientOf([failure({ code: "UND_ERR_SOCKET" }), json(502, { error: "outcome unknown" })]);
      assert.equal((await client.fetch("/notes", { method, toLeader: true })).status, 200);
      assert.equal(sent.length, 3);
    }
  });

  it("after an unknown outcome is that the first copy still runs, by 409 with Retry-After alone", async () => {
    const keyed = { headers: { "Idempotency-Key": "k" } };
    for (const [status, headers] of /** @type {[number, Record<string, string>][]} */ ([
      [409, {}],
      [429, { "Retry-After": "0" }],
      [500, { "Retry-After": "0" }],
    ])) {
      const { client, sent } = clientOf([failure({ code: "UND_ERR_SOCKET" }), answer(status, headers)]);
      assert.equal((await write(client, keyed)).status, status);
      assert.equal(sent.length, 2);
    }
  });

  it("and not of a read, which was not executed", async (t) => {
    let now = 0;
    t.mock.method(performance, "now", () => now);
    const { client } = clientOf([() => ((now = 59_999), Promise.reject(failure({ code: "UND_ERR_SOCKET" })))]);
    await assert.rejects(client.fetch("/notes"), LeaderRoutingError);
  });

  it("is not changed by redirect: 'error', which a redirect of a write comes too late for", async () => {
    const found = () => answer(303, { Location: "/notes/1" });
    await assert.rejects(write(clientOf([found()]).client, { redirect: "error" }), OutcomeUnknownError);
    await assert.rejects(clientOf([found()]).client.fetch("/notes", { redirect: "error" }), LeaderRoutingError);
  });
});

describe("Retry-After", () => {
  const started = failure({ code: "UND_ERR_SOCKET" });
  for (const [after, headers, wait] of /** @type {[string, Record<string, string>, number][]} */ ([
    ["in seconds", { "Retry-After": "20" }, 22_500],
    ["as a date of the server's clock", { "Retry-After": "Wed, 01 Jan 2020 00:00:20 GMT", Date: "Wed, 01 Jan 2020 00:00:00 GMT" }, 22_500],
    ["in the past", { "Retry-After": "Wed, 01 Jan 2020 00:00:00 GMT", Date: "Wed, 01 Jan 2020 00:00:20 GMT" }, 75],
    ["of none", { "Retry-After": "0" }, 75],
    ["missing", {}, 75],
  ])) {
    it(`${after} is waited for after a refusal, and up to a quarter more`, async (t) => {
      t.mock.method(Math, "random", () => 0.5);
      const time = virtualTime(t);
      /** @type {number[]} */
      const sent = [];
      const { client } = clientOf([
        () => (sent.push(time.now), answer(503, { "X-Base-Not-Executed": "1", ...headers })),
        () => (sent.push(time.now), answer(201)),
      ]);
      assert.equal((await time.pass(write(client))).status, 201);
      assert.ok(Math.abs(sent[1] - sent[0] - wait) <= 1, `${sent[1] - sent[0]} ms`);
    });
  }

  it("is waited for while the first copy runs", async (t) => {
    const time = virtualTime(t);
    const { client } = clientOf([started, answer(409, { "Retry-After": "20" })]);
    assert.equal((await time.pass(write(client, { headers: { "Idempotency-Key": "k" } }))).status, 200);
    assert.ok(time.now >= 20_000 && time.now <= 26_000, `${time.now} ms`);
  });

  it("that is no word of a time, or beyond the deadline, is not waited for", async (t) => {
    const time = virtualTime(t);
    for (const nonsense of ["soon", "-1", "1e9", "0x10", "9999999999", "Jan 1 2999", "Wed, 01 Jan 2999 00:00:00"]) {
      const from = time.now;
      const { client } = clientOf([answer(503, { "X-Base-Not-Executed": "1", "Retry-After": nonsense })]);
      assert.equal((await time.pass(write(client))).status, 200);
      assert.ok(time.now - from <= 101, nonsense);
    }

    const from = time.now;
    for (const after of ["60", "999999999", "Wed, 01 Jan 2999 00:00:00 GMT"]) {
      const { client, sent } = clientOf([answer(503, { "X-Base-Not-Executed": "1", "Retry-After": after })]);
      await assert.rejects(time.pass(write(client)), /leaves no time for another round/);
      assert.equal(sent.length, 1);
    }

    assert.ok(time.now - from < 100);
  });
});

describe("an attempt", () => {
  it("is given up before the deadline only where it may be sent again", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    t.mock.method(performance, "now", () => 0);
    const key = { "Idempotency-Key": "k" };
    for (const [init, limit] of /** @type {[import("../dist/index.js").LeaderRequestInit, number][]} */ ([
      [{ method: "GET" }, 10_000],
      [{ method: "POST", body: "x", headers: key }, 10_000],
      [{ method: "POST", body: "x" }, 60_000],
      [{ method: "POST", body: new Blob(["x"]).stream(), duplex: "half", headers: key }, 60_000],
    ])) {
      const { client, sent } = clientOf(init.duplex ? [answer(404), silent] : [silent]);
      const attempts = init.duplex ? 2 : 1;
      const controller = new AbortController();
      const given = assert.rejects(client.fetch("/notes", { ...init, signal: controller.signal }));
      await until(() => sent.length === attempts);
      t.mock.timers.tick(limit - 1);
      assert.equal(sent[attempts - 1].signal.aborted, false);
      t.mock.timers.tick(1);
      assert.equal(sent[attempts - 1].signal.aborted, true);
      controller.abort();
      await given;
    }
  });
});

describe("a call", () => {
  it("ends with its deadline, whatever the last attempt could take", async (t) => {
    const time = virtualTime(t);
    const options = { deadline: 15_000, attemptTimeout: 10_000 };
    await assert.rejects(time.pass(clientOf([silent, silent], options).client.fetch("/notes")), LeaderRoutingError);
    assert.ok(time.now <= 15_002, `${time.now} ms`);

    const from = time.now;
    const refused = answer(503, { "X-Base-Not-Executed": "1", "Retry-After": "5" });
    await assert.rejects(time.pass(write(clientOf([refused, silent], options).client)), OutcomeUnknownError);
    assert.ok(time.now - from <= 15_002, `${time.now - from} ms`);
  });

  it("ends in the middle of a pause when the caller gives up", async (t) => {
    const time = virtualTime(t);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("given up")), 1_000);
    const { client } = clientOf([answer(503, { "X-Base-Not-Executed": "1", "Retry-After": "20" })]);
    await assert.rejects(time.pass(write(client, { signal: controller.signal })), /given up/);
    assert.ok(time.now <= 1_002, `${time.now} ms`);
  });

  it("does not go back to a leader that has refused it, while there are others to ask", async (t) => {
    // Reads begin with b, and go on with c.
    t.mock.method(Math, "random", () => 0);
    const leads = { "X-Base-Leader": "http://a", "X-Base-Epoch": "1" };
    const refused = answer(503, { "X-Base-Not-Executed": "1", "Retry-After": "0" });
    const { client, urls } = clientOf([answer(200, leads), refused], { nodes: ["http://a", "http://b", "http://c"] });
    await client.fetch("/notes");
    await write(client);
    assert.deepEqual(urls(), ["http://b/notes", "http://a/notes", "http://c/notes"]);
  });

  it("that is slow does not make its node a dead one", async (t) => {
    const time = virtualTime(t);
    t.mock.method(Math, "random", () => 0);
    const { client, urls, sent } = clientOf([silent], { nodes: ["http://a", "http://b"] });
    const slow = client.fetch("/slow");
    await until(() => sent.length === 1);
    time.tick(1);
    await client.fetch("/a");
    await client.fetch("/b");
    assert.equal((await time.pass(slow)).status, 200);
    sent.length = 0;
    for (let i = 0; i < 4; i++) {
      await client.fetch("/");
    }

    assert.deepEqual(urls().sort(), ["http://a/", "http://a/", "http://b/", "http://b/"]);
  });
});

describe("the signal of an attempt", () => {
  it("ends with the caller's while an answer is read, and not with the time", async (t) => {
    const time = virtualTime(t);
    const controller = new AbortController();
    const { client, sent } = clientOf([new Response("body")]);
    const response = await client.fetch("/notes", { signal: controller.signal });
    time.tick(120_000);
    assert.equal(sent[0].signal.aborted, false);
    controller.abort(new Error("given up"));
    assert.deepEqual([response.status, sent[0].signal.aborted], [200, true]);
  });
});

describe("who waits for a place", () => {
  it("ends with the deadline of the call, not executed", async (t) => {
    const time = virtualTime(t);
    const refused = answer(503, { "X-Base-Not-Executed": "1", "Retry-After": "2" });
    const { client, sent } = clientOf([refused, () => new Promise(() => {})], { deadline: 5_000, maxConcurrent: 1 });
    const waiting = write(client);
    await until(() => sent.length === 1);
    void client.fetch("/holds");
    await assert.rejects(time.pass(waiting), { name: "LeaderRoutingError", message: /1 requests to http:\/\/a are still under way/ });
    assert.ok(sent.length === 2 && time.now >= 5_000 && time.now <= 5_002, `${time.now} ms`);
  });

  it("goes elsewhere when the node has failed meanwhile", async () => {
    /** @type {((error: Error) => void)[]} */
    const held = [];
    const leads = { "X-Base-Leader": "http://a", "X-Base-Epoch": "1" };
    const { client, urls } = clientOf([answer(200, leads), () => new Promise((_, reject) => held.push(reject))], {
      nodes: ["http://a", "http://b"],
      maxConcurrent: 1,
    });
    await client.fetch("/first");
    const writes = [write(client), write(client)];
    await until(() => held.length === 1);
    held[0](failure({ code: "ECONNREFUSED", syscall: "connect" }));
    assert.deepEqual((await Promise.all(writes)).map(({ status }) => status), [200, 200]);
    assert.deepEqual(urls().slice(1), ["http://a/notes", "http://b/notes", "http://b/notes"]);
  });
});

describe("the question who leads", () => {
  for (const [deadline, asked, over] of [[60_000, 3, 12_000], [6_000, 2, 6_000]]) {
    it(`costs 4 s for each of three nodes, of a deadline of ${deadline} ms`, async (t) => {
      const time = virtualTime(t);
      const { client, urls } = clientOf(Array(asked).fill(silent), { deadline, nodes: ["http://a", "http://b", "http://c", "http://d"] });
      const sending = write(client, { body: new Blob(["x"]).stream(), duplex: "half" });
      const came = await time.pass(sending).then((response) => response.status, (error) => error);
      assert.ok(deadline > over ? came === 200 : came instanceof LeaderRoutingError, String(came));
      assert.ok(time.now >= over && time.now <= over + 5, `${time.now} ms`);
      assert.equal(urls().filter((url) => url.endsWith("/_ha/leader")).length, asked);
    });
  }
});

describe("a gateway", () => {
  it("is known as one once a node has answered the client's own question", async () => {
    const { client, sent } = clientOf([json(200, { leader_url: "http://a" }, { "X-Base-Node": "a" }, "application/json"), answer(503)]);
    const streamed = { body: new Blob(["s"]).stream(), duplex: /** @type {const} */ ("half"), headers: { Authorization: "secret" } };
    await assert.rejects(write(client, streamed), OutcomeUnknownError);
    const [{ url, redirect, credentials, headers }] = sent;
    assert.deepEqual([url, redirect, credentials, [...headers]], ["http://a/_ha/leader", "manual", "omit", []]);
  });

  it("stays one for all later calls", async () => {
    const { client } = clientOf([answer(200, { "X-Base-Node": "a" }), answer(200), answer(500), answer(520), answer(503)]);
    await client.fetch("/a");
    await client.fetch("/a");
    assert.equal((await write(client)).status, 500, "the others are the application's");
    assert.equal((await write(client)).status, 520);
    await assert.rejects(write(client), OutcomeUnknownError);
  });

  it("is not told by a leader that is no member", async () => {
    const toForeign = () => answer(307, { Location: "http://foreign/notes", "X-Base-Leader": "http://foreign" });
    const { client } = clientOf([toForeign(), answer(201, { "X-Base-Node": "f" }), answer(503)]);
    await write(client);
    assert.equal((await write(client)).status, 503);
  });
});

describe("redirects to the same path", () => {
  const foreign = "http://foreign/notes?a=1";
  const own = { error: "not leader" };

  it("are the application's unless a node calls their target the leader", async () => {
    for (const redirect of [
      () => answer(307, { Location: foreign }),
      () => answer(307, { Location: foreign, "X-Base-Leader": "http://a" }),
      () => answer(307, { Location: foreign, "X-Base-Leader": "http://foreign:81" }),
      () => json(307, { error: "moved" }, { Location: foreign }, "application/json"),
      () => json(307, own, { Location: foreign }, "text/plain"),
      () => answer(307, { Location: foreign, "Content-Type": "application/json" }, new ReadableStream()),
      () => answer(307, { Location: "http://a/notes?a=1" }),
      () => json(307, { error: "moved" }, { Location: "http://a/notes?a=1" }, "application/json"),
      () => json(307, own, { Location: "http://foreign/notes?a=2", "X-Base-Leader": "http://foreign" }, "application/json"),
      () => json(307, own, { Location: "http://foreign/notes/?a=1", "X-Base-Leader": "http://foreign" }, "application/json"),
    ]) {
      const { client, urls } = clientOf([redirect()]);
      assert.equal((await write(client, {}, "/notes?a=1")).status, 307);
      assert.deepEqual(urls(), ["http://a/notes?a=1"]);
    }
  });

  it("are a node's by its header, or by its body alone", async () => {
    for (const redirect of [
      answer(307, { Location: foreign, "X-Base-Leader": "http://foreign" }),
      json(307, own, { Location: foreign }, "application/json"),
      json(307, own, { Location: foreign }),
      json(307, own, { Location: "http://a/notes?a=1" }, "application/json"),
    ]) {
      const { client, sent } = clientOf([redirect]);
      assert.equal((await write(client, {}, "/notes?a=1")).status, 200);
      assert.deepEqual([sent.length, sent[1].body], [2, "x"]);
    }
  });

  it("are followed between members, whoever says so", async () => {
    const toOther = (/** @type {Sent} */ { url }) => answer(307, { Location: url.includes("//a") ? "http://b/notes" : "http://a/notes" });
    const { client, sent, urls } = clientOf([toOther], { nodes: ["http://a", "http://b"] });
    assert.equal((await write(client, { headers: { Authorization: "secret" } })).status, 200);
    assert.deepEqual(sent.map(({ headers }) => headers.get("Authorization")), ["secret", "secret"]);
    assert.deepEqual(urls().sort(), ["http://a/notes", "http://b/notes"]);
  });

  it("say that their node does not lead, whatever epoch it was known by", async () => {
    const { client, urls } = clientOf([
      answer(201, { "X-Base-Leader": "http://a", "X-Base-Epoch": "7" }),
      answer(307, { Location: "http://b/notes", "X-Base-Leader": "http://b", "X-Base-Epoch": "3" }),
    ], { nodes: ["http://a", "http://b"] });
    await client.fetch("/first", { toLeader: true });
    await write(client);
    await write(client);
    assert.deepEqual(urls().slice(1), ["http://a/notes", "http://b/notes", "http://b/notes"]);
  });

  it("do not lead to a node again that has just failed", async () => {
    const { client } = clientOf([], {
      nodes: ["http://a", "http://b"],
      deadline: 240,
      fetch: async (input) => {
        tried.push(String(input));
        if (String(input).startsWith("http://b")) {
          throw failure({ code: "ECONNREFUSED", syscall: "connect" });
        }

        return answer(307, { Location: "http://b/notes", "X-Base-Leader": "http://b", "X-Base-Epoch": "1" });
      },
    });
    /** @type {string[]} */
    const tried = [];
    await assert.rejects(write(client), LeaderRoutingError);

    // Once more, since a later epoch is named than it failed in.
    assert.ok(tried.filter((url) => url.startsWith("http://b")).length <= 2);
  });

  it("that go in circles end with the deadline, and take five hops before each pause", async (t) => {
    const time = virtualTime(t);
    /** @type {number[]} When. */
    const sent = [];
    const { client } = clientOf([], {
      nodes: ["http://a", "http://b"],
      deadline: 2_000,
      fetch: async (input) => {
        assert.ok(sent.push(time.now) <= 500, "a flood");
        const other = String(input).startsWith("http://a/") ? "http://b" : "http://a";
        return answer(307, { Location: `${other}/notes`, "X-Base-Leader": other, "X-Base-Epoch": "1" });
      },
    });
    await assert.rejects(time.pass(write(client)), (error) =>
      error instanceof LeaderRoutingError && /^POST \/notes was not answered after .* 307 to http/.test(error.message));
    assert.ok(time.now < 2_000);
    const rounds = [...new Set(sent)].map((at) => sent.filter((when) => when === at).length);
    assert.ok(rounds.length > 3 && rounds.every((hops) => hops === 6), String(rounds));
  });

  it("to ever new leaders end, and flood nobody", async (t) => {
    let named = 0;
    const time = virtualTime(t);
    /** @type {string[]} */
    const warnings = [];
    const { client } = clientOf([], {
      deadline: 5_000,
      warn: (message) => warnings.push(message),
      fetch: async (input) => {
        assert.ok(++named < 500, "a flood");
        return String(input).startsWith("http://a/")
          ? answer(307, { Location: `http://n${named}/notes`, "X-Base-Leader": `http://n${named}` })
          : answer(200);
      },
    });
    for (let i = 0; i < 64; i++) {
      assert.equal((await write(client)).status, 200);
    }

    const before = named;
    await assert.rejects(time.pass(write(client)), LeaderRoutingError);
    assert.ok(named - before < 15, `${named - before} requests`);
    assert.equal(warnings.length, 64);
  });
});

describe("a read that the application redirects", () => {
  const cluster = { "X-Base-Position": "p", "X-Base-Seen-Epoch": "1" };
  const secrets = { Authorization: "a", "Proxy-Authorization": "p", Cookie: "c", Host: "a.example", "X-Other": "o", ...cluster };

  it("out of the cluster goes there by the rules of fetch, without what is for the cluster", async () => {
    for (const [status, method, then, body] of /** @type {[number, string, string, string | undefined][]} */ ([
      [301, "OPTIONS", "OPTIONS", "q"],
      [302, "OPTIONS", "OPTIONS", "q"],
      [303, "OPTIONS", "GET", undefined],
      [303, "HEAD", "HEAD", undefined],
      [307, "OPTIONS", "OPTIONS", "q"],
      [308, "GET", "GET", undefined],
    ])) {
      const { client, sent } = clientOf([answer(status, { Location: "http://foreign/x" })], { getAuthorization: () => "token" });
      /** @type {RequestInit} */
      const init = { method, headers: secrets, cache: "no-store", credentials: "include", body: method === "OPTIONS" ? "q" : null };
      const came = await client.fetch("/old", init);
      assert.equal(came.redirected, true);
      const [first, second] = sent;
      assert.deepEqual([first.headers.get("Authorization"), first.redirect, first.credentials], ["token", "manual", "include"]);
      assert.deepEqual([sent.length, second.url, second.method, second.body ?? undefined], [2, "http://foreign/x", then, body]);
      assert.deepEqual([second.redirect, second.credentials, /** @type {any} */ (second).cache], ["follow", "omit", "no-store"]);
      assert.deepEqual([...second.headers], [["x-other", "o"]]);
    }
  });

  it("inside the cluster is for the platform to follow", async () => {
    const { client, sent } = clientOf([1, 2].map(() => answer(302, { Location: "/there" })));
    assert.equal((await client.fetch("/old", { headers: secrets })).status, 302);
    assert.deepEqual(sent.map(({ url, redirect }) => [url, redirect]), [["http://a/old", "manual"], ["http://a/old", "follow"]]);
    assert.deepEqual(sent.map(({ headers }) => headers.get("Authorization")), ["a", "a"]);
  });

  it("out of the cluster keeps the form's own type", async () => {
    const form = new FormData();
    form.append("a", "1");
    const { client, sent } = clientOf([answer(307, { Location: "http://foreign/x" })]);
    await client.fetch("/old", { method: "OPTIONS", body: form });
    assert.match(sent[0].headers.get("Content-Type") ?? "", /^multipart\/form-data; ?boundary=/);
    assert.equal(sent[1].headers.get("Content-Type"), sent[0].headers.get("Content-Type"));
    assert.deepEqual(sent[1].body, sent[0].body);
    await client.fetch("/old", { method: "OPTIONS", body: form, headers: { "Content-Type": "its/own" } });
    assert.equal(sent[2].headers.get("Content-Type"), "its/own");
  });

  it("goes to the caller where fetch would go nowhere", async () => {
    for (const location of ["data:text/plain,x", "blob:http://a/1", "mailto:a@b", "ftp://foreign/", "ws://foreign/", "http://u:p@foreign/",
      "http://", "http://a:99999/"]) {
      const { client, sent } = clientOf([answer(302, { Location: location })]);
      assert.equal((await client.fetch("/old")).status, 302, location);
      assert.equal(sent.length, 1);
    }

    assert.equal((await clientOf([answer(302)]).client.fetch("/old")).status, 302);
    for (const status of [300, 304, 305]) {
      assert.equal((await clientOf([answer(status, { Location: "http://foreign/" })]).client.fetch("/old")).status, status);
    }

    const { client, sent } = clientOf([answer(302, { Location: "http://foreign/" })], { nodes: ["https://a"] });
    assert.equal((await client.fetch("/old")).status, 302);
    assert.equal(sent.length, 1);
  });

  it("ends with the deadline of the call, and when the caller gives up, also while its answer is read", async (t) => {
    let now = 0;
    t.mock.timers.enable({ apis: ["setTimeout"] });
    t.mock.method(performance, "now", () => now);
    const away = () => ((now += 4_000), answer(302, { Location: "http://foreign/" }));
    const late = clientOf([away, silent], { deadline: 5_000 });
    const over = late.client.fetch("/old");
    over.catch(() => {});
    await until(() => late.sent.length === 2);
    t.mock.timers.tick(999);
    assert.equal(late.sent[1].signal.aborted, false);
    now += 1_000;
    t.mock.timers.tick(1);
    await assert.rejects(over, { name: "LeaderRoutingError", message: /after 5\.000 s: the deadline is over/ });

    const controller = new AbortController();
    const page = clientOf([away, silent], { deadline: 5_000 });
    const given = page.client.fetch("/old", { signal: controller.signal });
    given.catch(() => {});
    await until(() => page.sent.length === 2);
    controller.abort(new Error("given up"));
    await assert.rejects(given, /given up/);

    const reading = new AbortController();
    const { client, sent } = clientOf([away, new Response("body")]);
    const response = await client.fetch("/old", { signal: reading.signal });
    t.mock.timers.tick(60_000);
    assert.equal(sent[1].signal.aborted, false);
    reading.abort(new Error("given up"));
    assert.deepEqual([response.status, sent[1].signal.aborted], [200, true]);
  });
});

describe("a body that comes in pieces", () => {
  const part = new TextEncoder().encode("part");

  /** Reads as the platform does: after it has connected. @param {Sent} sent */
  const reads = async ({ body }) => {
    try {
      for await (const _ of body) {
        // Sent.
      }
    } catch (cause) {
      throw new TypeError("fetch failed", { cause });
    }

    return answer(201);
  };

  /** @param {() => AsyncGenerator<Uint8Array>} parts @returns {any[]} */
  const bothWays = (parts) => {
    const others = parts();
    const pull = async (/** @type {ReadableStreamDefaultController} */ to) => {
      const { done, value } = await others.next();
      done ? to.close() : to.enqueue(value);
    };
    return [parts(), new ReadableStream({ pull })];
  };

  it("may have been executed when it fails itself, whatever that looks like", async () => {
    for (const error of [new Error("disk"), Object.assign(new Error("a database"), { code: "ECONNREFUSED", syscall: "connect" })]) {
      for (const body of bothWays(async function* () {
        yield part;
        throw error;
      })) {
        const { client, sent } = clientOf([answer(404), reads]);
        const headers = { "Idempotency-Key": "k" };
        const failed = await write(client, { body, duplex: "half", headers }).catch((/** @type {any} */ error) => error);
        assert.deepEqual([failed.constructor, failed.idempotencyKey, failed.cause.cause], [OutcomeUnknownError, "k", error]);
        assert.equal(sent.length, 2);
      }
    }
  });

  it("was not executed when there was no connection to send it on", async () => {
    for (const body of bothWays(async function* () {
      yield part;
    })) {
      const { client } = clientOf([answer(404), failure({ code: "ECONNREFUSED", syscall: "connect" })]);
      await assert.rejects(write(client, { body, duplex: "half" }), LeaderRoutingError);
    }
  });

  it("is let go of when nobody will read it", async () => {
    /** @type {unknown[]} */
    const over = [];
    const parts = async function* () {
      try {
        yield part;
        yield part;
      } finally {
        over.push("iterable");
      }
    };
    for (const body of /** @type {any[]} */ ([parts(), new ReadableStream({ cancel: (reason) => void over.push(reason) })])) {
      const { client } = clientOf([answer(404), async ({ body }) => {
        await ("cancel" in body ? body.cancel("stream") : (await body.next(), body.return()));
        throw failure({ code: "UND_ERR_SOCKET" });
      }]);
      await assert.rejects(write(client, { body, duplex: "half" }), OutcomeUnknownError);
    }

    assert.deepEqual(over, ["iterable", "stream"]);
  });

  it("is not sent again, nor without its beginning, where the application redirects a read", async () => {
    for (const location of ["/there", "http://foreign/there"]) {
      for (const body of bothWays(async function* () {
        yield part;
      })) {
        const { client, sent } = clientOf([async (request) => (await reads(request), answer(302, { Location: location }))]);
        const reading = client.fetch("/old", { method: "OPTIONS", body, duplex: "half" });
        await assert.rejects(reading, (error) => error instanceof LeaderRoutingError && /was a stream/.test(error.message));
        assert.equal(sent.length, 1);
      }
    }

    const refused = () => json(307, { error: "not leader" }, { Location: "http://a/old" }, "application/json");
    const { client } = clientOf([refused()]);
    assert.equal((await client.fetch("/old", { method: "OPTIONS", body: new Blob(["s"]).stream(), duplex: "half" })).status, 307);
  });

  it("in a Request costs of the deadline, and no more than that", async (t) => {
    let now = 0;
    t.mock.timers.enable({ apis: ["setTimeout"] });
    t.mock.method(performance, "now", () => now);
    /** @param {(to: ReadableStreamDefaultController) => any} pull */
    const requestOf = (pull) => {
      const body = new ReadableStream({ pull }, { highWaterMark: 0 });
      return new Request("http://a/notes", /** @type {any} */ ({ method: "POST", duplex: "half", body }));
    };

    const never = clientOf([], { deadline: 5_000 });
    let isAsked = false;
    let isOver = false;
    const came = never.client.fetch(requestOf(() => ((isAsked = true), new Promise(() => {}))));
    came.catch(() => (isOver = true));
    await until(() => isAsked);
    t.mock.timers.tick(4_999);
    await new Promise(setImmediate);
    assert.equal(isOver, false);
    t.mock.timers.tick(1);
    await assert.rejects(came, (error) => error instanceof LeaderRoutingError && /POST \/notes was not sent: .* 5 s/.test(error.message));
    assert.equal(never.sent.length, 0);

    const slow = clientOf([answer(503, { "X-Base-Not-Executed": "1" })], { deadline: 5_000 });
    await assert.rejects(slow.client.fetch(requestOf((to) => ((now = 4_950), to.close()))), /leaves no time for another round/);
    assert.equal(slow.sent.length, 1);
  });
});

describe("what is heard and brought along", () => {
  /** @param {number} epoch @param {number} number */
  const position = (epoch, number) => {
    const bytes = Buffer.alloc(2 + 16);
    bytes[0] = 1;
    bytes.writeBigInt64BE(BigInt(epoch), 2);
    bytes.writeBigInt64BE(BigInt(number), 10);
    return bytes.toString("base64url");
  };

  /** @param {string} at */
  const wrote = (at) => answer(201, { "X-Base-Position": at });

  /** What the next read brings. @param {ReturnType<typeof clientOf>} of @param {import("../dist/index.js").LeaderRequestInit} [init] */
  const brought = async ({ client, sent }, init) => {
    await client.fetch("/read", init);
    return sent.at(-1)?.headers.get("X-Base-Position");
  };

  it("is the higher position of writes that overlap, and the last one of writes that do not", async () => {
    /** @type {((response: Response) => void)[]} */
    const held = [];
    const hold = () => new Promise((/** @type {(response: Response) => void} */ resolve) => held.push(resolve));
    const of = clientOf([hold, hold]);
    const { client } = of;
    const first = [write(client), write(client)];
    await until(() => held.length === 2);
    held[1](wrote(position(7, 300)));
    await first[1];
    held[0](wrote(position(7, 200)));
    await first[0];
    assert.equal(await brought(of), position(7, 300));
    const next = clientOf([wrote(position(7, 300)), wrote(position(3, 1))]);
    await write(next.client);
    await write(next.client);
    assert.equal(await brought(next), position(3, 1));
  });

  it("goes with all that only reads, and with nothing else", async () => {
    const of = clientOf([wrote(position(1, 1))]);
    await write(of.client);
    for (const [init, position1] of /** @type {[import("../dist/index.js").LeaderRequestInit, string | null][]} */ ([
      [{}, position(1, 1)],
      [{ toLeader: true }, position(1, 1)],
      [{ method: "POST", toLeader: false }, position(1, 1)],
      [{ method: "POST" }, null],
      [{ method: "POST", toLeader: true }, null],
    ])) {
      assert.equal(await brought(of, init), position1, JSON.stringify(init));
    }
  });

  it("comes from writes only, and not from behind a redirect", async () => {
    const behind = (/** @type {Response} */ response) => Object.defineProperty(response, "redirected", { value: true });
    const leader = { "X-Base-Epoch": "99", "X-Base-Leader": "http://b", "X-Base-Node": "b" };
    const said = { "X-Base-Position": position(9, 9), "X-Base-Not-Executed": "1", ...leader };
    const of = clientOf([
      answer(200, { "X-Base-Position": position(9, 9) }),
      behind(answer(503, said)),
      behind(answer(503, said)),
    ], { nodes: ["http://a", "http://b"] });
    await of.client.fetch("/read");
    assert.equal((await write(of.client)).status, 503);
    assert.equal((await of.client.fetch("/read")).status, 503);
    assert.equal(await brought(of, { toLeader: true }), null);
    assert.equal(of.sent.at(-1)?.headers.get("X-Base-Seen-Epoch"), null);
  });

  it("is an epoch of digits, and a leader without one has none, by which the last is forgotten", async (t) => {
    let now = 0;
    t.mock.method(performance, "now", () => now);
    /** @type {Record<string, string>} */
    let said = {};
    /** @type {string | null} */
    let seen = null;
    const { client } = clientOf([], {
      fetch: async (_, init) => {
        seen = new Headers(init?.headers).get("X-Base-Seen-Epoch");
        return answer(200, said);
      },
    });
    /** @param {Record<string, string>} headers What a node says again and again, for 10 s. */
    const seenAfter = async (headers) => {
      said = headers;
      for (let i = 0; i < 3; i++, now += 5_000) {
        await client.fetch("/x", { toLeader: true });
      }

      said = {};
      await client.fetch("/x", { toLeader: true });
      return seen;
    };
    assert.equal(await seenAfter({ "X-Base-Leader": "http://a" }), null);
    for (const epoch of ["9", "soon", "-1", "10, 11", "1e3", "12345678901234567890"]) {
      assert.equal(await seenAfter({ "X-Base-Epoch": epoch }), "9", epoch);
    }

    assert.equal(await seenAfter({}), "9");
    assert.equal(await seenAfter({ "X-Base-Leader": "http://a" }), null);
  });
});

describe("where redirects are hidden", () => {
  const hiddenRedirect = () => Object.defineProperty(Response.error(), "type", { value: "opaqueredirect" });
  const mark = "X-Base-Forwarded-By";
  const marked = { "X-Base-Not-Executed": "1" };

  /** Has found out. @param {Answer[]} answers @param {Partial<import("../dist/index.js").LeaderClientOptions>} [options] */
  const pageOf = async (answers, options) => {
    const page = clientOf([hiddenRedirect(), ...answers], options);
    await assert.rejects(write(page.client), (error) => error instanceof OutcomeUnknownError && error.response === undefined);
    page.sent.length = 0;
    return page;
  };

  it("the first one of a write may be a node's, also where the caller wants to see it", async () => {
    await assert.rejects(write(clientOf([hiddenRedirect()]).client, { redirect: "manual" }), OutcomeUnknownError);
    const { client } = await pageOf([hiddenRedirect()]);
    assert.equal((await write(client, { redirect: "manual" })).type, "opaqueredirect");
  });

  it("what goes to the leader carries the mark, and reads, which would need a preflight for it, do not", async () => {
    const { client, sent } = await pageOf([]);
    await client.fetch("/notes");
    await client.fetch("/notes", { toLeader: true });
    await write(client);
    assert.deepEqual(sent.map(({ headers }) => headers.get(mark)), [null, "fetch:page", "fetch:page"]);
  });

  it("a node that knows of a leader and does not name it is asked to send the request there", async () => {
    const { client, sent } = await pageOf([json(503, { error: "not leader", leader_known: true }, marked), answer(201)]);
    assert.equal((await write(client)).status, 201);
    assert.deepEqual(sent.map(({ headers }) => headers.get(mark)), ["fetch:page", null]);
  });

  it("a node that refuses and names itself is waited for", async (t) => {
    const itself = { error: "not leader", leader: "http://a", leader_known: true };
    const { client, sent } = await pageOf([json(503, itself, { ...marked, "Retry-After": "20" })]);
    const time = virtualTime(t);
    assert.equal((await time.pass(write(client))).status, 200);
    assert.ok(sent.length === 2 && time.now >= 20_000, `${time.now} ms`);
  });

  it("a node that failed is the leader again once a refusal's body names it in a later epoch", async () => {
    let epoch = 5;
    let isDown = false;
    const node = (/** @type {Sent} */ { url }) => {
      if (url.startsWith("http://a")) {
        return json(503, { error: "not leader", leader: "http://b", leader_known: true, epoch }, marked);
      }

      if (isDown) {
        [isDown, epoch] = [false, 6];
        throw failure({ code: "ECONNREFUSED", syscall: "connect" });
      }

      return answer(201);
    };
    const { client, sent, urls } = await pageOf(Array(20).fill(node), { nodes: ["http://a", "http://b"] });
    while (urls()[0] !== "http://a/notes") {
      sent.length = 0;
      await write(client, { toLeader: true });
    }

    sent.length = 0;
    isDown = true;
    assert.equal((await write(client)).status, 201);
    assert.deepEqual(urls(), ["http://b/notes", "http://a/notes", "http://b/notes"]);
  });

  it("a question that a page may not ask blames nobody", async () => {
    const nodes = ["http://a", "http://b", "http://c", "http://d"];
    const refused = () => new TypeError("Failed to fetch");
    const { client, sent, urls } = await pageOf([refused(), refused(), refused()], { nodes });
    await write(client, { body: new Blob(["s"]).stream(), duplex: "half" });
    assert.equal(urls().filter((url) => url.endsWith("/_ha/leader")).length, 3);
    sent.length = 0;
    for (let i = 0; i < 4; i++) {
      await client.fetch("/");
    }

    assert.equal(new Set(urls()).size, 4);
  });
});

describe("an answer that breaks off", () => {
  const terminated = new TypeError("terminated", { cause: Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" }) });
  const begin = new TextEncoder().encode('{"id":');
  const broken = (headers = {}) => answer(200, headers, new ReadableStream({ start: (to) => to.enqueue(begin), pull: (to) => to.error(terminated) }));
  const keyed = { headers: { "Idempotency-Key": "one" } };

  it("is asked for again, a write under its key", async () => {
    const { client, sent } = clientOf([broken(), answer(200, {}, "whole")]);
    assert.equal(await (await write(client, keyed)).text(), "whole");
    assert.deepEqual(sent.map(({ headers }) => headers.get("Idempotency-Key")), ["one", "one"]);

    const reads = clientOf([broken(), answer(200, {}, "whole")]);
    assert.equal(await (await reads.client.fetch("/notes")).text(), "whole");
    assert.equal(reads.sent.length, 2);
  });

  it("is the caller's where the request may not be sent again", async () => {
    const stream = () => new ReadableStream({ start: (to) => (to.enqueue(begin), to.close()) });
    for (const init of [{}, { ...keyed, body: stream(), duplex: /** @type {const} */ ("half") }]) {
      const { client, sent } = clientOf([answer(200, { "X-Base-Leader": "http://a", "X-Base-Epoch": "1" }), broken()]);
      await client.fetch("/notes");
      await assert.rejects((await write(client, init)).text(), terminated);
      assert.equal(sent.filter(({ method }) => method === "POST").length, 1);
    }
  });

  it("a second time is the application's doing, and the caller's to see", async () => {
    const { client, sent } = clientOf([broken(), broken()]);
    await assert.rejects((await write(client, keyed)).text(), terminated);
    assert.equal(sent.length, 2);
  });

  it("is the caller's where it is long or a stream, which nobody waits for", async (t) => {
    const time = virtualTime(t);
    for (const headers of [{ "Content-Type": "text/event-stream" }, { "Content-Type": "application/grpc-web" }, { "Content-Length": "65537" }]) {
      const { client, sent } = clientOf([broken(headers)]);
      await assert.rejects((await time.pass(write(client, keyed))).text(), terminated);
      assert.deepEqual([sent.length, time.now], [1, 0]);
    }
  });

  it("of what is no transport is the caller's, and so is a body that somebody else reads", async () => {
    const wrong = new Error("it is not JSON");
    const odd = answer(201, {}, new ReadableStream({ pull: (to) => to.error(wrong) }));
    const locked = answer(202, {}, "x");
    locked.body?.getReader();
    const { client, sent } = clientOf([odd, locked]);
    await assert.rejects((await write(client, keyed)).text(), wrong);
    assert.equal((await write(client, keyed)).status, 202);
    assert.equal(sent.length, 2);
  });

  it("is waited for no longer than the attempt has time, and is no attempt that was given up", async (t) => {
    const time = virtualTime(t);
    const slow = new ReadableStream({ start: (to) => to.enqueue(begin) });
    const { client, sent } = clientOf([() => new Promise((resolve) => setTimeout(() => resolve(answer(200, {}, slow)), 550))], {
      attemptTimeout: 1_000,
      getAuthorization: () => new Promise((resolve) => setTimeout(resolve, 400)),
    });
    const came = await time.pass(write(client, keyed));
    assert.ok(time.now >= 999 && time.now <= 1_001, `${time.now} ms`);
    time.tick(60_000);
    assert.deepEqual((await came.body?.getReader().read())?.value, begin);
    assert.equal(sent.length, 1);
  });

  it("is not waited for where the answer takes its time, or turns out to be long: it goes on as it comes", async (t) => {
    const time = virtualTime(t);
    /** @type {ReadableStreamDefaultController<Uint8Array>} */
    let to = /** @type {any} */ (undefined);
    const slow = () => answer(200, {}, new ReadableStream({ start: (controller) => ((to = controller), to.enqueue(begin)) }));
    const came = await time.pass(write(clientOf([slow()]).client, keyed));
    assert.ok(time.now >= 100 && time.now <= 101, `${time.now} ms`);
    const reader = came.body?.getReader();
    assert.deepEqual((await reader?.read())?.value, begin);
    to.enqueue(begin);
    assert.deepEqual((await reader?.read())?.value, begin);

    const many = "x".repeat(200_000);
    const long = new ReadableStream({ start: (controller) => [..."ab"].forEach((part) => controller.enqueue(new TextEncoder().encode(many + part))) });
    const before = time.now;
    const whole = await time.pass(write(clientOf([answer(200, {}, long)]).client, keyed));
    assert.ok(time.now - before <= 1);
    assert.equal(new TextDecoder().decode((await whole.body?.getReader().read())?.value).length, 200_001);
  });
});
