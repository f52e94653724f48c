import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { LeaderClient, LeaderRoutingError, OutcomeUnknownError } from "../dist/index.js";
import { Cluster, Member } from "../dist/cluster.js";
import { NewestPosition, SeenEpochs } from "../dist/newest.js";
import { breakOff, FakeCluster, json, redirect, refuse, unknown } from "./support/fake-cluster.js";

/**
 * @param {(cluster: FakeCluster, client: LeaderClient) => Promise<void>} body
 * @param {Partial<import("../dist/index.js").LeaderClientOptions>} [options]
 */
const withCluster = (body, options = {}, count = 3) => async () => {
  const cluster = await FakeCluster.start(count);
  try {
    await body(cluster, new LeaderClient({ nodes: cluster.urls, deadline: 5_000, warn: () => {}, ...options }));
  } finally {
    await cluster.stop();
  }
};

/** @param {LeaderClient} client @param {import("../dist/index.js").LeaderRequestInit} [init] */
const write = (client, init = {}, path = "/notes") => client.fetch(path, { method: "POST", body: "x", ...init });

/** @param {() => boolean} condition */
async function until(condition) {
  while (!condition()) {
    await new Promise(setImmediate);
  }
}

/** @param {FakeCluster} cluster */
const writesBy = (cluster) => cluster.nodes.map((node) => node.calls.filter((call) => call.method !== "GET").length);

describe("where calls go", () => {
  it("sends the second write straight to the leader, wherever the first one went", withCluster(async (cluster, client) => {
    for (let i = 0; i < 4; i++) {
      const answer = await write(client, { body: `note ${i}` });
      assert.deepEqual([answer.status, await answer.json()], [201, { by: "n0", body: `note ${i}` }]);
    }

    assert.ok(cluster.calls.length <= 5, `${cluster.calls.length} requests for 4 writes`);
  }));

  it("learns from a read where the next write goes", withCluster(async (cluster, client) => {
    await client.fetch("/notes");
    await write(client);
    assert.deepEqual(writesBy(cluster), [1, 0, 0]);
  }));

  it("spreads reads over all nodes", withCluster(async (cluster, client) => {
    for (let i = 0; i < 9; i++) {
      assert.equal((await client.fetch("/notes")).status, 200);
    }

    assert.deepEqual(cluster.nodes.map((node) => node.calls.length), [3, 3, 3]);
  }));

  it("lets a call choose the leader or any node, whatever its method", withCluster(async (cluster, client) => {
    await client.fetch("/a");
    cluster.forget();
    for (let i = 0; i < 3; i++) {
      await client.fetch("/balance", { toLeader: true });
    }

    assert.deepEqual(cluster.nodes.map((node) => node.calls.length), [3, 0, 0]);
    cluster.nodes.forEach((node) => (node.always = (_, response) => json(response, 200, {})));
    for (let i = 0; i < 3; i++) {
      await write(client, { toLeader: false });
    }

    assert.deepEqual(writesBy(cluster), [1, 1, 1]);
  }));

  it("does not take an older epoch's leader", withCluster(async (cluster, client) => {
    cluster.epoch = 7;
    await client.fetch("/a");
    cluster.nodes.forEach((node) => (node.always = (_, response) => {
      response.setHeader("X-Base-Epoch", "6").setHeader("X-Base-Leader", cluster.nodes[1].url);
      json(response, 200, {});
    }));
    await client.fetch("/a");
    await write(client);
    assert.deepEqual(writesBy(cluster), [1, 0, 0]);
  }));

  it("waits where nodes send a write in circles, until they agree", withCluster(async (cluster, client) => {
    const [a, b, c] = cluster.nodes;
    cluster.leader = undefined;
    let turns = 0;
    /** @param {import("./support/fake-cluster.js").FakeNode} to @returns {import("./support/fake-cluster.js").Script} */
    const circle = (to) => (request, response) => {
      if (++turns === 12) {
        cluster.leader = a;
        cluster.epoch = 2;
        cluster.nodes.forEach((node) => (node.always = (r, s) => cluster.asNode(node, r, s)));
      }

      redirect(response, to.url + request.path, to.url);
    };
    [a.always, b.always, c.always] = [circle(b), circle(c), circle(a)];
    assert.equal((await write(client)).status, 201);
  }));

  it("asks again where one address stands for several nodes and sends a write back to itself", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    node.next = [(request, response) => redirect(response, node.url + request.path, node.url)];
    assert.equal((await write(client)).status, 201);
    assert.equal(node.calls.length, 2);
  }, {}, 1));

  it("sends path and query on as they are, also with two slashes at the start", withCluster(async (cluster, client) => {
    cluster.leader = cluster.nodes[2];
    for (const path of ["//host.example/x", "/a%2Fb/%7e?q=%20&r=+", "/?"]) {
      assert.equal((await client.fetch(cluster.urls[0] + path, { method: "POST" })).status, 201);
    }

    assert.deepEqual(cluster.nodes[2].calls.map((call) => call.path), ["//host.example/x", "/a%2Fb/%7e?q=%20&r=+", "/"]);
  }));

  it("refuses other hosts before anything is sent", withCluster(async (cluster, client) => {
    for (const url of ["http://localhost:1/x", "//host.example/x", cluster.urls[0].replace("http", "https"), "ftp://127.0.0.1/",
      cluster.urls[0].replace("//", "//u@"), cluster.urls[0].replace("//", "//:p@")]) {
      await assert.rejects(client.fetch(url), /talks to its cluster only/);
    }

    assert.equal(cluster.calls.length, 0);
  }));

  it("can be handed on as a function, and takes Request, URL and string", withCluster(async (cluster, client) => {
    const { fetch } = client;
    const request = new Request(`${cluster.urls[1]}/a`, { method: "PUT", body: "text", headers: { "X-One": "1" } });
    assert.deepEqual(await (await fetch(request)).json(), { by: "n0", body: "text" });
    assert.equal(request.bodyUsed, true);
    await assert.rejects(fetch(request), TypeError);
    const over = new Request(`${cluster.urls[1]}/b`, { method: "PUT", body: "old", headers: { "Content-Type": "text/old" } });
    assert.deepEqual(await (await fetch(over, { body: "new" })).json(), { by: "n0", body: "new" });
    assert.equal((await fetch(new URL(`${cluster.urls[1]}/c`))).status, 200);
    const [first, second] = cluster.nodes[0].calls;
    assert.deepEqual([first.headers["x-one"], first.headers["content-type"]], ["1", "text/plain;charset=UTF-8"]);
    assert.equal(second.headers["content-type"], "text/old");
  }));
});

describe("what is sent again", () => {
  it("waits for Retry-After when nothing was executed", withCluster(async (cluster, client) => {
    cluster.nodes[0].next = [(_, response) => refuse(response, "no leader", "1")];
    const began = performance.now();
    assert.equal((await write(client)).status, 201);
    assert.ok(performance.now() - began >= 1_000);
  }, {}, 1));

  it("takes Retry-After as a date of the server's clock", withCluster(async (cluster, client) => {
    cluster.nodes[0].next = [(_, response) => {
      response.setHeader("Date", "Wed, 01 Jan 2020 00:00:00 GMT");
      refuse(response, "no leader", "Wed, 01 Jan 2020 00:00:01 GMT");
    }];
    const began = performance.now();
    assert.equal((await write(client)).status, 201);
    assert.ok(performance.now() - began >= 1_000);
  }, {}, 1));

  it("ends at once when Retry-After is beyond the deadline", withCluster(async (cluster, client) => {
    cluster.nodes[0].always = (_, response) => refuse(response, "no leader", "3600");
    const began = performance.now();
    await assert.rejects(write(client), /leaves no time for another round/);
    assert.ok(performance.now() - began < 1_000);
  }, {}, 1));

  it("believes the headers of a refusal and of a redirect whose bodies never come", withCluster(async (cluster, client) => {
    const [a, b] = cluster.nodes;
    cluster.leader = b;
    const never = { "Content-Type": "application/problem+json", "Content-Length": 50, "Retry-After": "0" };
    for (const headers of [{ "X-Base-Not-Executed": "1", ...never }, { "X-Base-Not-Executed": "1", "X-Base-Leader": b.url, ...never }]) {
      a.next = b.next = [(_, response) => response.writeHead(503, headers).write("{"), (_, response) => response.writeHead(503, headers).write("{")];
      assert.equal((await write(client, { headers: { "Idempotency-Key": "k" } })).status, 201);
    }

    await client.fetch("/a");
    b.next = [(request, response) => {
      cluster.leader = a;
      cluster.epoch++;
      cluster.sign(b, response);
      response.writeHead(307, { ...never, Location: a.url + request.path }).write("{");
    }];
    assert.equal((await write(client)).status, 201);
    b.next = a.next = [(_, response) => response.writeHead(503, never).write("{", () => response.destroy())];
    await assert.rejects(write(client), OutcomeUnknownError);
  }, { attemptTimeout: 200 }, 2));

  it("begins no round in the last moment before the deadline", async (t) => {
    let now = 0;
    let calls = 0;
    t.mock.method(performance, "now", () => now);
    const client = new LeaderClient({
      nodes: ["http://a"],
      deadline: 5_100,
      fetch: async () => {
        // A first pause of 50 to 100 ms would leave up to 50 ms.
        [now, calls] = [5_000, calls + 1];
        return new Response("", { status: 503, headers: { "X-Base-Not-Executed": "1" } });
      },
    });
    await assert.rejects(write(client), /leaves no time for another round/);
    assert.equal(calls, 1);
  });

  it("does not wait by a Retry-After that is none", withCluster(async (cluster, client) => {
    for (const nonsense of ["soon", "-1", "1e9", "99999999999999999999", "Jan 1 2999"]) {
      cluster.nodes[0].next = [(_, response) => refuse(response, "no leader", nonsense)];
      assert.equal((await write(client)).status, 201);
    }
  }, {}, 1));

  it("hands the application's word to the caller as it is", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    for (const [status, type, body, headers] of /** @type {[number, string, unknown, object][]} */ ([
      [503, "application/json", { error: "no leader" }, {}],
      [503, "application/problem+json", { error: "outcome unknown" }, {}],
      [503, "text/plain", "no leader", { "Retry-After": "1" }],
      [502, "application/problem+json", { error: "no leader" }, {}],
      [502, "application/problem+json", { error: ["outcome unknown"] }, {}],
      [409, "application/json", {}, { "Retry-After": "1" }],
      [500, "application/problem+json", { error: "outcome unknown" }, { "X-Base-Not-Executed": "true" }],
      [503, "application/problem+json", { error: "no leader" }, { "X-Base-Node": "n0" }],
    ])) {
      node.seen = [];
      node.next = [(_, response) => {
        Object.entries(headers).forEach(([name, value]) => response.setHeader(name, value));
        json(response, status, body, type);
      }];
      const answer = await write(client);
      assert.deepEqual([answer.status, await answer.json(), node.calls.length], [status, body, 1]);
    }
  }, {}, 1));

  it("is not confused by malformed answers", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    for (const [status, type, body] of /** @type {[number, string, string][]} */ ([
      [503, "application/problem+json", "{"],
      [503, "application/problem+json", "null"],
      [503, "application/problem+json", '["no leader"]'],
      [503, "application/problem+json", '{"__proto__":{"error":"no leader"}}'],
      [503, "application/problem+json", `{"error":"no leader","x":"${"y".repeat(70_000)}"}`],
      [502, "application/problem+json", "\u0000\uffff"],
      [307, "application/json", '{"error":"not leader"}'],
    ])) {
      node.seen = [];
      node.next = [(_, response) => response.writeHead(status, { "Content-Type": type }).end(body)];
      const answer = await write(client);
      assert.deepEqual([answer.status, await answer.text(), node.calls.length], [status, body, 1]);
    }
  }, {}, 1));

  it("reports an unknown outcome of a write without a key, and does not repeat it", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    node.next = [(_, response) => unknown(response)];
    await assert.rejects(write(client), (error) => {
      assert.ok(error instanceof OutcomeUnknownError && !(error instanceof LeaderRoutingError) && !(error instanceof TypeError));
      assert.equal(error.response?.status, 502);
      assert.equal(error.idempotencyKey, undefined);
      assert.deepEqual(error.nodes, [{ node: node.url, attempts: 1, lastWord: "502 outcome unknown" }]);
      return true;
    });
    node.next = [breakOff];
    await assert.rejects(write(client), (error) => error instanceof OutcomeUnknownError && error.response === undefined && error.cause !== undefined);
    assert.equal(node.calls.length, 2);
  }, {}, 1));

  it("repeats an unknown outcome under the same new key", withCluster(async (cluster, client) => {
    cluster.nodes[0].next = [(_, response) => unknown(response), breakOff];
    assert.equal((await write(client)).status, 201);
    const keys = cluster.calls.map((call) => call.headers["idempotency-key"]);
    assert.match(String(keys[0]), /^"[0-9a-f]{32}"$/);
    assert.deepEqual(keys, [keys[0], keys[0], keys[0]]);
    await write(client);
    assert.notEqual(cluster.calls[3].headers["idempotency-key"], keys[0]);
  }, { addIdempotencyKey: true }, 1));

  it("keeps the caller's key, gives none to reads, and takes two keys for none", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    node.next = [breakOff];
    assert.equal((await write(client, { headers: { "Idempotency-Key": "mine" } })).status, 201);
    await client.fetch("/notes");
    assert.equal((await write(client, { headers: { "Idempotency-Key": " " } })).status, 201);
    for (const bad of ["a, b", '"a", "b"', '"', '" "']) {
      node.next = [breakOff];
      await assert.rejects(write(client, { headers: { "Idempotency-Key": bad } }), OutcomeUnknownError);
    }

    const keys = node.calls.map((call) => call.headers["idempotency-key"]);
    assert.deepEqual(keys.slice(0, 3), ["mine", "mine", undefined]);
    assert.match(String(keys[3]), /^"[0-9a-f]{32}"$/);
    assert.deepEqual(keys.slice(4), ["a, b", '"a", "b"', '"', '" "']);
  }, { addIdempotencyKey: true }, 1));

  it("says after the deadline that a keyed write may have run, with its key", withCluster(async (cluster, client) => {
    cluster.nodes[0].always = breakOff;
    await assert.rejects(
      write(client, { headers: { "Idempotency-Key": "k" } }),
      (error) => error instanceof OutcomeUnknownError && error.idempotencyKey === "k");
    assert.ok(cluster.calls.length > 1);
  }, { deadline: 500 }, 1));

  it("waits while the first copy still runs, and only then", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    /** @type {import("./support/fake-cluster.js").Script} */
    const conflict = (_, response) => response.writeHead(409, { "Retry-After": "0" }).end();
    node.next = [breakOff, conflict];
    assert.equal((await write(client, { headers: { "Idempotency-Key": "k" } })).status, 201);
    node.next = [conflict];
    assert.equal((await write(client, { headers: { "Idempotency-Key": "k" } })).status, 409);
  }, {}, 1));

  it("does not forget an unknown outcome over a later refusal", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    node.next = [breakOff];
    node.always = (_, response) => refuse(response, "no leader");
    await assert.rejects(write(client, { headers: { "Idempotency-Key": "k" } }), OutcomeUnknownError);
  }, { deadline: 500 }, 1));

  it("tries a broken read on the next node at once", withCluster(async (cluster, client) => {
    cluster.nodes.forEach((node) => (node.next = [breakOff]));
    cluster.nodes[1].next = [];
    const began = performance.now();
    for (let i = 0; i < 3; i++) {
      assert.equal((await client.fetch("/notes")).status, 200);
    }

    assert.ok(performance.now() - began < 1_000);
  }));

  it("tells a refused connection from a broken one", withCluster(async (cluster, client) => {
    await client.fetch("/notes");
    await cluster.nodes[0].stop();
    cluster.leader = cluster.nodes[1];
    cluster.epoch = 2;
    assert.equal((await write(client)).status, 201);
    for (let i = 0; i < 4; i++) {
      assert.equal((await client.fetch("/notes")).status, 200);
    }

    assert.equal(cluster.nodes[0].calls.filter((call) => call.method === "POST").length, 0);
  }));

  it("does not begin with a leader that has just broken off", withCluster(async (cluster, client) => {
    const [leader] = cluster.nodes;
    for (let i = 0; i < 4; i++) {
      for (let turn = i % 2; turn < 2; turn++) {
        await client.fetch("/a");
      }

      leader.next = [breakOff];
      await assert.rejects(write(client, { toLeader: true }), OutcomeUnknownError);
      leader.next = [];
      assert.equal((await write(client)).status, 201);
    }

    assert.ok(writesBy(cluster)[1] > 0);
  }, {}, 2));

  it("lets one call find out whether a dead node is back, while the others stay away", withCluster(async (cluster, client) => {
    const [dead, other] = cluster.nodes;
    cluster.leader = other;
    await dead.stop();
    for (let i = 0; i < 2; i++) {
      assert.equal((await client.fetch("/notes")).status, 200);
    }

    dead.always = () => {};
    await dead.start(dead.port);
    while (dead.calls.length === 0) {
      await Promise.all([1, 2, 3, 4, 5, 6].map(() => client.fetch("/notes")));
    }

    assert.equal(dead.calls.length, 1);
  }, { attemptTimeout: 300 }, 2));

  it("waits for nodes that are all down, and lists them when they stay so", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    await node.stop();
    const patient = new LeaderClient({ nodes: [`http://127.0.0.1:${node.port}`], deadline: 5_000 });
    const waiting = write(patient);
    await assert.rejects(write(client), (error) => {
      assert.ok(error instanceof LeaderRoutingError);
      assert.ok(error.nodes[0].attempts > 1 && error.nodes[0].attempts < 8, `${error.nodes[0].attempts} attempts`);
      assert.match(error.nodes[0].lastWord, /ECONNREFUSED/);
      return true;
    });
    await node.start(node.port);
    assert.equal((await waiting).status, 201);
  }, { deadline: 300 }, 1));

  it("gives up on a silent node what may be repeated, and holds a write without a key", withCluster(async (cluster, client) => {
    const [silent, other] = cluster.nodes;
    silent.always = () => {};
    other.always = (request, response) => cluster.asNode(other, request, response);
    cluster.leader = other;
    for (let i = 0; i < 2; i++) {
      assert.equal((await client.fetch("/notes")).status, 200);
    }

    silent.seen = [];
    cluster.leader = silent;
    cluster.epoch = 5;
    const hasty = new LeaderClient({ nodes: cluster.urls, deadline: 400, attemptTimeout: 100 });
    await assert.rejects(write(hasty), (error) => error instanceof OutcomeUnknownError && /no answer within 0.[34]/.test(error.message));
    assert.equal(silent.calls.length, 1);
  }, { attemptTimeout: 100 }, 2));

  it("repeats nothing by itself on a connection that was used before and closes", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    for (const body of ["x", null]) {
      assert.equal((await write(client, { body })).status, 201);
      node.next = [(_, response) => response.socket?.destroy()];
      await assert.rejects(write(client, { body }), OutcomeUnknownError);
    }

    assert.equal(node.calls.length, 4);
  }, {}, 1));
});

describe("what waits for its turn", () => {
  it("goes in order, not more than so many at once, unless the caller gives up", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    /** @type {import("node:http").ServerResponse[]} */
    const held = [];
    node.always = (_, response) => held.push(response);
    const writes = [1, 2, 3, 4].map((i) => write(client, { body: `${i}` }));
    const controller = new AbortController();
    const given = write(client, { body: "5", signal: controller.signal });
    await until(() => held.length === 2);
    controller.abort(new Error("given up"));
    await assert.rejects(given, /given up/);
    while (node.calls.length < 4 || held.length > 0) {
      assert.ok(held.length <= 2);
      held.splice(0).forEach((response) => json(response, 201, {}));
      await new Promise(setImmediate);
    }

    assert.deepEqual((await Promise.all(writes)).map((answer) => answer.status), [201, 201, 201, 201]);
    assert.deepEqual(node.calls.map((call) => call.body).sort(), ["1", "2", "3", "4"]);
  }, { maxConcurrent: 2 }, 1));

  it("is not sent when its place comes after the deadline", async (t) => {
    let now = 0;
    t.mock.method(performance, "now", () => now);
    /** @type {((response: Response) => void)[]} */
    const held = [];
    const client = new LeaderClient({ nodes: ["http://a"], maxConcurrent: 1, fetch: () => new Promise((resolve) => held.push(resolve)) });
    const [first, second] = [write(client), write(client)];
    await until(() => held.length === 1);
    now = 30_000;
    held[0](new Response(""));
    assert.equal((await first).status, 200);
    await assert.rejects(second, (error) => error instanceof LeaderRoutingError && /the deadline is over/.test(error.message));
    assert.equal(held.length, 1);
  });

  it("goes to another node when the leader has moved meanwhile; reads do not wait for a full one", withCluster(async (cluster, client) => {
    const [first, second] = cluster.nodes;
    await write(client);
    /** @type {import("node:http").ServerResponse | undefined} */
    let held;
    first.next = [(_, response) => (held = response)];
    const writes = [write(client, { headers: { "Idempotency-Key": "a" } }), write(client, { body: "waits" }), write(client, { body: "waits" })];
    await until(() => held !== undefined);
    cluster.leader = second;
    cluster.epoch = 2;
    for (let i = 0; i < 3; i++) {
      assert.equal((await client.fetch("/a")).status, 200);
    }

    held?.destroy();
    assert.deepEqual((await Promise.all(writes)).map((answer) => answer.status), [201, 201, 201]);
    assert.equal(first.calls.filter((call) => call.body === "waits").length, 0);
  }, { maxConcurrent: 1 }));
});

describe("bodies", () => {
  it("sends the same bytes again, whatever they come in", withCluster(async (cluster, client) => {
    const [a, b] = cluster.nodes;
    const form = new FormData();
    form.append("a", "1");
    form.append("f", new Blob(["file"]), "f.txt");
    const bytes = () => new TextEncoder().encode("..bytes..");
    const key = { "Idempotency-Key": "k" };
    for (const [body, type] of /** @type {[BodyInit, RegExp][]} */ ([
      ["text", /^text\/plain/],
      [bytes().subarray(2, 7), /^$/],
      [bytes().buffer, /^$/],
      [new DataView(bytes().buffer, 2, 5), /^$/],
      [new Blob(["blob"], { type: "a/b" }), /^a\/b$/],
      [new URLSearchParams({ q: "ü" }), /^application\/x-www-form-urlencoded/],
      [form, /^multipart\/form-data; ?boundary=/],
    ])) {
      cluster.forget();
      cluster.leader = b;
      cluster.epoch++;
      a.next = b.next = [breakOff, (_, response) => refuse(response, "no leader"), breakOff];
      const sent = write(client, { body, headers: key });
      if (body instanceof URLSearchParams || body instanceof FormData) {
        body.append("late", "change");
      } else if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) {
        new Uint8Array(body instanceof ArrayBuffer ? body : body.buffer).fill("!".charCodeAt(0));
      }

      assert.equal((await sent).status, 201);
      const [first, ...others] = cluster.calls;
      assert.ok(others.length > 0);
      assert.match(first.headers["content-type"] ?? "", type);
      assert.doesNotMatch(first.body, /late|!/);
      others.forEach((other) => assert.deepEqual([other.body, other.headers["content-type"]], [first.body, first.headers["content-type"]]));
    }
  }, {}, 2));

  it("asks for the leader before it sends a stream, without the caller's secrets", withCluster(async (cluster, client) => {
    cluster.leader = cluster.nodes[2];
    const body = new Blob(["streamed"]).stream();
    const answer = await write(client, { body, duplex: "half", headers: { Authorization: "secret" } });
    assert.deepEqual(await answer.json(), { by: "n2", body: "streamed" });
    const questions = cluster.nodes.flatMap((node) => node.seen).filter((call) => call.path === "/_ha/leader");
    assert.deepEqual(questions.map((call) => call.headers.authorization), [undefined]);
    assert.deepEqual(writesBy(cluster), [0, 0, 1]);
  }));

  it("sends a stream once: a refusal goes to the caller, a redirect ends the call", withCluster(async (cluster, client) => {
    const [a, b] = cluster.nodes;
    const stream = () => ({ body: new Blob(["s"]).stream(), duplex: /** @type {const} */ ("half"), headers: { "Idempotency-Key": "k" } });
    await client.fetch("/a");
    a.next = [(_, response) => refuse(response, "no leader")];
    const answer = await write(client, stream());
    assert.deepEqual([answer.status, (await answer.json()).error], [503, "no leader"]);
    await client.fetch("/a");
    a.next = [(request, response) => redirect(response, b.url + request.path, b.url)];
    await assert.rejects(write(client, stream()), (error) => error instanceof LeaderRoutingError);
    cluster.epoch = 3;
    await client.fetch("/a");
    a.next = [breakOff];
    await assert.rejects(write(client, stream()), OutcomeUnknownError);
    assert.equal(a.calls.filter((call) => call.method === "POST").length, 3);
    assert.equal(b.calls.filter((call) => call.method === "POST").length, 0);
  }, {}, 2));

  it("knows of a stream that it was not sent, and that it broke off", withCluster(async (cluster, client) => {
    const parts = async function* () {
      yield "part";
      throw Object.assign(new Error("a database"), { code: "ECONNREFUSED", syscall: "connect" });
    };
    const streams = () => [parts(), new Blob(["s"]).stream().pipeThrough(new TransformStream({ flush: (to) => to.error(new Error("disk")) }))];
    for (const body of /** @type {any[]} */ (streams())) {
      await assert.rejects(write(client, { body, duplex: "half" }), OutcomeUnknownError);
    }

    await cluster.nodes[0].stop();
    for (const body of /** @type {any[]} */ (streams())) {
      await assert.rejects(write(client, { body, duplex: "half" }), (error) => error instanceof LeaderRoutingError && /ECONNREFUSED 127/.test(error.message));
    }
  }, { deadline: 2_000 }, 1));

  it("refuses arguments that fetch refuses, at once", withCluster(async (cluster, client) => {
    for (const init of [{ method: "GET", body: "x" }, { method: "TRACE" }, { headers: { "a b": "c" } }, { method: "POST", mode: "no-cors" },
      { method: "POST", headers: { Expect: "100-continue" } }]) {
      await assert.rejects(client.fetch("/a", /** @type {RequestInit} */ (init)), (error) => error instanceof TypeError && !(error instanceof LeaderRoutingError));
    }

    assert.equal(cluster.calls.length, 0);
  }));
});

describe("credentials", () => {
  const secrets = { Authorization: "Bearer x", Cookie: "c=1", "Proxy-Authorization": "p" };
  /** @param {import("./support/fake-cluster.js").FakeNode} node */
  const secretsSeen = (node) => node.calls.map(({ headers }) => [headers.authorization, headers.cookie, headers["proxy-authorization"]]);

  it("go along to members", withCluster(async (cluster, client) => {
    cluster.leader = cluster.nodes[1];
    for (let i = 0; i < 3; i++) {
      await write(client, { headers: secrets });
    }

    assert.ok(cluster.calls.every((call) => call.headers.authorization === "Bearer x" && call.headers.cookie === "c=1"));
  }));

  it("stay behind where a node names a leader that is no member, which is not remembered", async () => {
    const cluster = await FakeCluster.start(2);
    const [member, foreign] = cluster.nodes;
    cluster.leader = foreign;
    /** @type {string[]} */
    const warnings = [];
    try {
      const client = new LeaderClient({ nodes: [member.url], deadline: 3_000, warn: (message) => warnings.push(message) });
      for (let i = 0; i < 2; i++) {
        assert.equal((await write(client, { headers: secrets })).status, 201);
      }

      assert.deepEqual(secretsSeen(foreign), [[undefined, undefined, undefined], [undefined, undefined, undefined]]);
      assert.equal(member.calls.length, 2);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0], new RegExp(foreign.url));
      const trusting = new LeaderClient({ nodes: [member.url], trustReportedLeaders: true });
      foreign.seen = [];
      assert.equal((await write(trusting, { headers: secrets })).status, 201);
      assert.equal((await write(trusting, { headers: secrets })).status, 201);
      assert.deepEqual(secretsSeen(foreign), [["Bearer x", "c=1", "p"], ["Bearer x", "c=1", "p"]]);
      assert.equal(member.calls.length, 3);
    } finally {
      await cluster.stop();
    }
  });

  it("and the request itself stay where a redirect is the application's", async () => {
    const cluster = await FakeCluster.start(2);
    const [member, foreign] = cluster.nodes;
    try {
      const client = new LeaderClient({ nodes: [member.url], deadline: 2_000, trustReportedLeaders: true, warn: () => {} });
      for (const location of [foreign.url + "/notes", foreign.url.replace("//", "//u:p@") + "/notes", `${foreign.url}\\@${new URL(member.url).host}/notes`, "/other", "//x"]) {
        member.next = [(_, response) => redirect(response, location)];
        const answer = await write(client, { headers: secrets });
        assert.deepEqual([answer.status, await answer.json()], [307, { hello: "there" }]);
      }

      assert.equal(foreign.calls.length, 0);
    } finally {
      await cluster.stop();
    }
  });

  it("are not given to whom a node names that is not configured itself", async () => {
    const cluster = await FakeCluster.start(3);
    const [member, named, evil] = cluster.nodes;
    member.always = (request, response) => redirect(response, named.url + request.path, named.url);
    named.always = (request, response) => {
      response.setHeader("X-Base-Leader", evil.url).setHeader("X-Base-Epoch", "99");
      redirect(response, evil.url + request.path, evil.url);
    };
    try {
      for (const trustReportedLeaders of [false, true]) {
        const client = new LeaderClient({ nodes: [member.url], deadline: 400, trustReportedLeaders, warn: () => {} });
        await assert.rejects(write(client, { headers: secrets }), /after 0\.\d+ s:/);
      }

      assert.equal(evil.calls.length, 0);
    } finally {
      await cluster.stop();
    }
  });

  it("never lose their encryption", async () => {
    const cluster = await FakeCluster.start(1);
    const [plain] = cluster.nodes;
    try {
      const client = new LeaderClient({
        nodes: ["https://node-1.example"],
        deadline: 1_000,
        trustReportedLeaders: true,
        warn: () => {},
        fetch: async (url) => {
          const there = new URL(String(url));
          assert.equal(there.protocol, "https:");
          const body = JSON.stringify({ error: "not leader", leader: plain.url, epoch: 1 });
          return new Response(body, {
            status: 307,
            headers: { Location: plain.url + there.pathname, "Content-Type": "application/json", "Content-Length": String(body.length), "X-Base-Leader": plain.url },
          });
        },
      });
      await assert.rejects(write(client, { headers: secrets }), /would lose the encryption/);
      assert.equal(plain.calls.length, 0);

      // Not by what an ordinary answer says either.
      const told = new LeaderClient({
        nodes: ["https://node-1.example"],
        trustReportedLeaders: true,
        warn: () => {},
        fetch: async (url) => (assert.match(String(url), /^https:/), new Response("", { headers: { "X-Base-Leader": plain.url, "X-Base-Epoch": "5" } })),
      });
      await told.fetch("/a");
      assert.equal((await write(told)).status, 200);
    } finally {
      await cluster.stop();
    }
  });
});

describe("getAuthorization", () => {
  /** @param {(node: string, signal: AbortSignal) => any} getAuthorization */
  const by = (getAuthorization, options = {}) => ({ getAuthorization, warn: () => {}, ...options });

  it("is asked for each attempt, for its node, in place of the request's own", async () => {
    /** @type {string[]} */
    const asked = [];
    await withCluster(async (cluster, client) => {
      const [node] = cluster.nodes;
      node.next = [(_, response) => refuse(response, "no leader")];
      assert.equal((await write(client, { headers: { Authorization: "own" } })).status, 201);
      assert.equal((await client.fetch("/a")).status, 200);
      assert.deepEqual(node.calls.map((call) => call.headers.authorization), ["token 1", "token 2", "token 3"]);
      assert.deepEqual(asked, [node.url, node.url, node.url]);
      await write(new LeaderClient({ nodes: [node.url], ...by(async () => "x") }), { body: new Blob(["s"]).stream(), duplex: "half" });
      assert.deepEqual(node.seen.filter((call) => call.path === "/_ha/leader").map((call) => call.headers.authorization), [undefined]);
    }, by(async (node) => `token ${asked.push(node)}`), 1)();
  });

  it("is not asked for a leader that is no member, and undefined leaves the request's own", async () => {
    const cluster = await FakeCluster.start(2);
    const [member, foreign] = cluster.nodes;
    cluster.leader = foreign;
    try {
      for (const trustReportedLeaders of [false, true]) {
        /** @type {string[]} */
        const asked = [];
        cluster.forget();
        const client = new LeaderClient({ nodes: [member.url], ...by((node) => void asked.push(node), { trustReportedLeaders }) });
        assert.equal((await write(client, { headers: { Authorization: "own" } })).status, 201);
        assert.deepEqual(asked, trustReportedLeaders ? [member.url, foreign.url] : [member.url]);
        assert.deepEqual(cluster.calls.map((call) => call.headers.authorization), ["own", trustReportedLeaders ? "own" : undefined]);
      }
    } finally {
      await cluster.stop();
    }
  });

  it("fails the call as not executed, with nothing sent and no node blamed", withCluster(async (cluster) => {
    // Of the kind that fetch throws too.
    const failure = new TypeError("no token");
    for (const fails of [() => Promise.reject(failure), () => { throw failure; }]) {
      await assert.rejects(write(new LeaderClient({ nodes: cluster.urls, ...by(fails) })), (error) => {
        assert.ok(error instanceof LeaderRoutingError);
        assert.equal(error.cause, failure);
        assert.match(error.message, /was not answered .*getAuthorization failed: no token/);
        assert.deepEqual(error.nodes.map((node) => [node.attempts, node.lastWord]), [[0, "not asked"]]);
        return true;
      });
    }

    for (const nonsense of ["se\ncret", 5]) {
      await assert.rejects(
        write(new LeaderClient({ nodes: cluster.urls, ...by(() => nonsense) })),
        (error) => error instanceof LeaderRoutingError && !/cret/.test(`${error} ${error.cause}`));
    }

    assert.equal(cluster.calls.length, 0);
  }, {}, 1));

  it("does not hide that an earlier attempt may have been executed", async () => {
    let asked = 0;
    const failure = new Error("no token");
    await withCluster(async (cluster, client) => {
      cluster.nodes[0].next = [breakOff];
      await assert.rejects(
        write(client, { headers: { "Idempotency-Key": "k" } }),
        (error) => error instanceof OutcomeUnknownError && error.idempotencyKey === "k" && error.cause === failure);
      assert.equal(cluster.calls.length, 1);
    }, by(async () => {
      if (++asked > 1) {
        throw failure;
      }
    }), 1)();
  });

  it("is given up while there is still time for an attempt, which would else end in an unknown outcome", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    t.mock.method(performance, "now", () => 0);
    /** @type {AbortSignal[]} */
    const signals = [];
    const client = new LeaderClient({ nodes: ["http://a"], ...by((_, signal) => (signals.push(signal), new Promise(() => {}))) });
    const given = assert.rejects(write(client), LeaderRoutingError);
    await until(() => signals.length === 1);
    t.mock.timers.tick(29_949);
    assert.equal(signals[0].aborted, false);
    t.mock.timers.tick(1);
    await given;
  });

  it("costs no more than the time of an attempt, or until the caller gives up", async () => {
    /** @type {AbortSignal[]} */
    const signals = [];
    await withCluster(async (cluster, client) => {
      await assert.rejects(client.fetch("/a"), (error) => error instanceof LeaderRoutingError && /no answer in the time of the attempt/.test(error.message));
      assert.equal(signals[0].aborted, true);
      const controller = new AbortController();
      const given = write(client, { signal: controller.signal });
      await until(() => signals.length === 2);
      controller.abort(new Error("given up"));
      await assert.rejects(given, /given up/);
      assert.equal(signals[1].aborted, true);
      assert.equal(cluster.calls.length, 0);
    }, by((_, signal) => (signals.push(signal), new Promise(() => {})), { attemptTimeout: 100 }), 1)();
  });
});

describe("a gateway before nodes that show themselves", () => {
  for (const status of [502, 503, 504]) {
    it(`does not know what became of a write that it answers with ${status}`, withCluster(async (cluster, client) => {
      const [node] = cluster.nodes;
      /** @type {import("./support/fake-cluster.js").Script} */
      const gateway = (_, response) => json(response, status, "<html>", "text/html");
      node.next = [gateway, gateway];
      assert.equal((await write(client)).status, status, "nobody has shown himself yet");
      assert.equal((await client.fetch("/notes")).status, status);
      await client.fetch("/notes");
      node.next = [gateway];
      await assert.rejects(write(client), (error) => error instanceof OutcomeUnknownError && error.response?.status === status);
      node.next = [gateway];
      assert.equal((await write(client, { headers: { "Idempotency-Key": "own" } })).status, 201);
      node.next = [gateway];
      assert.equal((await client.fetch("/notes")).status, status);
      node.next = [(request, response, raw) => {
        cluster.sign(node, response);
        gateway(request, response, raw);
      }];
      assert.equal((await write(client)).status, status, "the application's own");
    }, {}, 1));
  }
});

describe("redirects of the application", () => {
  it("are followed for reads as fetch would, and taken for nobody's word about the leader", withCluster(async (cluster, client) => {
    const foreign = await FakeCluster.start(1);
    try {
      await write(client);
      cluster.forget();
      foreign.nodes[0].always = (_, response) => {
        response.setHeader("X-Base-Leader", cluster.nodes[1].url).setHeader("X-Base-Epoch", "99");
        refuse(response, "no leader");
      };
      cluster.nodes.forEach((node) => (node.always = (request, response) =>
        request.method === "GET" ? response.writeHead(302, { Location: `${foreign.urls[0]}/elsewhere` }).end() : cluster.asNode(node, request, response)));
      const answer = await client.fetch("/old", { headers: { Authorization: "secret", "X-Base-Position": "own", "X-Other": "kept" } });
      assert.deepEqual([answer.status, answer.redirected, answer.url], [503, true, `${foreign.urls[0]}/elsewhere`]);
      const [{ path, headers }] = foreign.calls;
      assert.deepEqual([path, headers.authorization, headers["x-other"], foreign.calls.length], ["/elsewhere", undefined, "kept", 1]);
      assert.deepEqual(Object.keys(headers).filter((name) => name.startsWith("x-base-")), []);
      assert.equal(cluster.calls.filter((call) => call.path === "/old").length, 1);
      assert.equal((await client.fetch("/old", { redirect: "manual" })).status, 302);
      await assert.rejects(client.fetch("/old", { redirect: "error" }), TypeError);
      assert.equal((await write(client)).status, 201);
      assert.deepEqual(writesBy(cluster), [1, 0, 0]);
    } finally {
      await foreign.stop();
    }
  }));

  it("are followed by the platform within the cluster", withCluster(async (cluster, client) => {
    cluster.nodes[0].next = [1, 2].map(() => (_, response) => response.writeHead(302, { Location: "/notes/1" }).end());
    const answer = await client.fetch("/notes/latest", { headers: { Authorization: "secret" } });
    assert.deepEqual([answer.status, answer.redirected, cluster.calls.at(-1)?.headers.authorization], [200, true, "secret"]);
  }, {}, 1));

  it("go to the caller of a write", withCluster(async (cluster, client) => {
    cluster.nodes[0].next = [(_, response) => response.writeHead(303, { Location: "/notes/1" }).end()];
    const answer = await write(client);
    assert.deepEqual([answer.status, answer.headers.get("Location")], [303, "/notes/1"]);
    assert.equal(cluster.calls.length, 1);
  }, {}, 1));

  it("go to the caller also where they lead to another path of a member", withCluster(async (cluster, client) => {
    await client.fetch("/a");
    const [node, other] = cluster.nodes;
    node.next = [(_, response) => redirect(response, `${other.url}/elsewhere`)];
    assert.equal((await write(client)).status, 307);
    assert.deepEqual(writesBy(cluster), [1, 0]);
  }, {}, 2));
});

describe("the caller's signal", () => {
  const reason = new TypeError("the caller's own reason");

  it("ends a call before, in an attempt, in a pause, in the question for the leader, and while the answer is read", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    await assert.rejects(write(client, { signal: AbortSignal.abort(reason) }), reason);
    assert.equal(node.seen.length, 0);

    /** @param {(abort: () => void) => void} arrange @param {import("../dist/index.js").LeaderRequestInit} [init] */
    const abortsWhen = async (arrange, init) => {
      const controller = new AbortController();
      arrange(() => controller.abort(reason));
      await assert.rejects(write(client, { ...init, signal: controller.signal }), reason);
    };
    await abortsWhen((abort) => (node.next = [() => abort()]));
    await abortsWhen((abort) => (node.next = [(_, response) => {
      refuse(response, "no leader", "4");
      response.on("finish", () => setImmediate(abort));
    }]));
    await abortsWhen((abort) => (node.next = [() => abort()]), { body: new Blob(["s"]).stream(), duplex: "half" });

    const controller = new AbortController();
    node.next = [(_, response) => response.writeHead(200, { "Content-Length": 10 }).write("part")];
    const answer = await client.fetch("/slow", { signal: controller.signal });
    const read = answer.text();
    controller.abort(reason);
    await assert.rejects(read, reason);
    assert.equal((await write(client)).status, 201);
  }, {}, 1));

  for (const [what, status, type, part] of /** @type {[string, number, string, string][]} */ ([
    ["takes its time", 200, "text/plain", "part"],
    ["is long", 200, "text/plain", "x".repeat(100_000)],
    ["is a long problem of the application", 503, "application/problem+json", "x".repeat(100_000)],
  ])) {
    it(`ends an answer that ${what} and that nobody has read yet`, withCluster(async (cluster, client) => {
      const [node] = cluster.nodes;
      const controller = new AbortController();
      /** @type {Promise<unknown>} */
      let closed = Promise.resolve();
      node.next = [(_, response) => {
        closed = once(response, "close");
        response.writeHead(status, { "Content-Type": type, "X-Base-Node": "n0" }).write(part);
      }];
      const answer = await client.fetch("/slow", { method: status === 503 ? "POST" : "GET", signal: controller.signal });
      assert.equal(answer.url, `${node.url}/slow`);
      controller.abort(reason);
      await closed;
      await assert.rejects(answer.text(), reason);
    }, {}, 1));
  }

  it("is not needed to let go of an answer that is not over", withCluster(async (cluster, client) => {
    const [node] = cluster.nodes;
    /** @type {Promise<unknown>} */
    let closed = Promise.resolve();
    node.next = [(_, response) => {
      closed = once(response, "close");
      response.writeHead(200).write("part");
    }];
    await (await client.fetch("/slow")).body?.cancel();
    await closed;
  }, {}, 1));

  it("ends the reading of a Request that never ends", withCluster(async (cluster, client) => {
    const controller = new AbortController();
    const endless = new Request(`${cluster.urls[0]}/a`, /** @type {any} */ ({
      method: "POST", duplex: "half", signal: controller.signal, body: new ReadableStream({ pull: () => controller.abort(reason) }),
    }));
    await assert.rejects(client.fetch(endless), reason);
    assert.equal(cluster.calls.length, 0);
  }));

  it("is let go of by calls that are over, and gets one listener", withCluster(async (cluster) => {
    /** @type {AbortSignal[]} */
    const attempts = [];
    const client = new LeaderClient({
      nodes: cluster.urls,
      fetch: (input, init) => (attempts.push(/** @type {AbortSignal} */ (init?.signal)), fetch(input, init)),
    });
    const controller = new AbortController();
    let listeners = 0;
    const { addEventListener } = controller.signal;
    /** @param {...any} args */
    controller.signal.addEventListener = (...args) => (listeners++, addEventListener.apply(controller.signal, /** @type {any} */ (args)));
    await Promise.all(Array.from({ length: 20 }, () => client.fetch("/notes", { method: "HEAD", signal: controller.signal })));
    controller.abort();
    assert.deepEqual([attempts.length, attempts.some((signal) => signal.aborted), listeners], [20, false, 1]);
  }));
});

describe("set-up", () => {
  it("says all that is wrong in one error, and no password", () => {
    /** @param {any} options */
    const errorOf = (options) => {
      try {
        new LeaderClient(options);
      } catch (error) {
        assert.ok(error instanceof TypeError);
        return error.message;
      }

      return "";
    };
    assert.match(errorOf({}), /nodes must hold 1 to 64/);
    const all = errorOf({ nodes: ["http://a:8080/path", "http://u:secret@b"], deadline: 1, maxConcurrent: NaN, attemptTimeout: "1" });
    for (const part of [/a:8080\/path/, /\*\*\*@b/, /deadline \(1\)/, /maxConcurrent \(NaN\)/, /attemptTimeout \(1\)/]) {
      assert.match(all, part);
    }

    assert.doesNotMatch(all, /secret/);
    assert.match(errorOf({ nodes: ["http://a", "https://b"] }), /all http or all https/);
    for (const node of ["http:a", "http://a\\b", "http://a b", "http://a\n", "//a", "http://a?x", "http://a#x", "http://@a", "http://", 5]) {
      assert.match(errorOf({ nodes: [node] }), /must be an http or https URL/, String(node));
    }

    assert.equal(errorOf({ nodes: ["HTTP://A:80/", "http://a"] }), "");
  });
});

describe("what goes along", () => {
  /** @param {number} epoch @param {number} number */
  const position = (epoch, number) => {
    const bytes = Buffer.alloc(2 + 3 + 16 + 32);
    bytes.set([1, 3]);
    bytes.writeBigInt64BE(BigInt(epoch), 5);
    bytes.writeBigInt64BE(BigInt(number), 13);
    return bytes.toString("base64url");
  };

  /** @param {FakeCluster} cluster @param {string} path @param {string} header */
  const sent = (cluster, path, header) => cluster.calls.find((call) => call.path === path)?.headers[header];

  it("tells the leader the highest epoch that any node has named, unless the caller does", withCluster(async (cluster, client) => {
    cluster.epoch = 9;
    await client.fetch("/first");
    await client.fetch("/read");
    await client.fetch("/balance", { toLeader: true });
    await write(client, {}, "/written");
    await write(client, { headers: { "X-Base-Seen-Epoch": "3" } }, "/own");
    assert.deepEqual(["/first", "/read", "/balance", "/written", "/own"].map((path) => sent(cluster, path, "x-base-seen-epoch")),
      [undefined, undefined, "9", "9", "3"]);
  }));

  it("hears the epoch in the answer to its own question too", withCluster(async (cluster, client) => {
    cluster.epoch = 9;
    await write(client, { body: new Blob(["s"]).stream(), duplex: "half" });
    assert.equal(sent(cluster, "/notes", "x-base-seen-epoch"), "9");
  }));

  it("takes the position of a leader that is no member, and brings it there too, but not its epoch", async () => {
    const cluster = await FakeCluster.start(2);
    const [member, foreign] = cluster.nodes;
    cluster.leader = foreign;
    foreign.always = (_, response) => {
      response.setHeader("X-Base-Epoch", "99").setHeader("X-Base-Position", position(99, 1));
      json(response, 201, {});
    };
    try {
      const client = new LeaderClient({ nodes: [member.url], warn: () => {} });
      await write(client);
      assert.equal(foreign.calls.length, 1);
      member.always = (request, response) => redirect(response, foreign.url + request.path, foreign.url);
      await client.fetch("/read");
      await write(client, {}, "/next");
      assert.deepEqual(cluster.calls.filter((call) => call.path === "/read").map((call) => call.headers["x-base-position"]), [position(99, 1), position(99, 1)]);
      assert.equal(sent(cluster, "/next", "x-base-seen-epoch"), "1");
    } finally {
      await cluster.stop();
    }
  });

  it("keeps the platform's own cookies inside, and asks its question without them", async () => {
    const cluster = await FakeCluster.start(2);
    const [member, foreign] = cluster.nodes;
    /** @type {Record<string, string | undefined>} */
    const credentials = {};
    try {
      const client = new LeaderClient({
        nodes: [member.url],
        warn: () => {},
        fetch: (input, init) => ((credentials[String(input)] = init?.credentials), fetch(input, init)),
      });
      member.always = (_, response) => json(response, 201, {});
      await write(client, { body: new Blob(["s"]).stream(), duplex: "half" });
      member.next = [(request, response) => redirect(response, foreign.url + request.path, foreign.url)];
      assert.equal((await client.fetch("/balance", { toLeader: true, credentials: "include" })).status, 200);
      const [question, kept, gone] = [`${member.url}/_ha/leader`, `${member.url}/balance`, `${foreign.url}/balance`].map((url) => credentials[url]);
      assert.deepEqual([question, kept, gone], ["omit", "include", "omit"]);
    } finally {
      await cluster.stop();
    }
  });

  it("forgets an epoch that most nodes do not know any more, once none has named it for 5 s", (t) => {
    let now = 0;
    t.mock.method(performance, "now", () => now);
    const epochs = new SeenEpochs(3);
    const member = (/** @type {string} */ url) => new Member(url, true, true, 1);
    const [a, b, c] = [member("http://a"), member("http://b"), member("http://c")];
    const reported = new Member("http://b.example", false, true, 1);
    epochs.hear(a, 8n);
    epochs.hear(b, 7n);
    epochs.hear(c, 7n);
    now = 4_999;
    epochs.hear(c, 7n);
    assert.equal(epochs.highest, 8n);
    epochs.hear(a, 8n);
    for (; now < 60_000; now += 5_000) {
      epochs.hear(b, 7n);
      epochs.hear(reported, 7n);
    }

    assert.equal(epochs.highest, 8n);
    epochs.hear(c, 6n);
    assert.equal(epochs.highest, 7n);
    epochs.hear(c, 0n);
    assert.equal(epochs.highest, 7n);

    // From the first lower word after the last of the highest.
    epochs.hear(a, 9n);
    epochs.hear(b, 7n);
    now += 4_999;
    epochs.hear(a, 9n);
    now += 1;
    epochs.hear(b, 7n);
    epochs.hear(c, 7n);
    assert.equal(epochs.highest, 9n);
    now += 5_000;
    epochs.hear(c, 7n);
    assert.equal(epochs.highest, 7n);

    const even = new SeenEpochs(2);
    even.hear(a, 8n);
    even.hear(b, 7n);
    now += 5_000;
    even.hear(b, 7n);
    assert.equal(even.highest, 8n);
  });

  it("keeps the higher of two positions of writes that overlap, and the last word where nothing tells which that is", () => {
    const newest = new NewestPosition();
    const next = Buffer.from(position(1, 1), "base64url");
    next[0] = 2;
    const version2 = next.toString("base64url");
    for (const [given, kept] of [
      [position(7, 300), position(7, 300)],
      [position(7, 200), position(7, 300)],
      [position(7, 0xfbefbe), position(7, 0xfbefbe)],
      [position(7, 0xfbefbd), position(7, 0xfbefbe)],
      [position(7, 0xffffff), position(7, 0xffffff)],
      [position(7, 0xfffffe), position(7, 0xffffff)],
      [position(8, 100), position(8, 100)],
      ["", position(8, 100)],
      ["A".repeat(201), position(8, 100)],
      [version2, version2],
      [position(1, 1), position(1, 1)],
      ["not one", "not one"],
      [position(9, 1), position(9, 1)],
      [position(8, 1).slice(0, 20), position(8, 1).slice(0, 20)],
      ["A".repeat(200), "A".repeat(200)],
    ]) {
      // All overlap.
      newest.take(given, -1);
      assert.equal(newest.newest, kept);
    }
  });

  it("brings the newest position of a write along with reads, and leaves the caller's own", withCluster(async (cluster, client) => {
    const positions = [position(7, 100), position(7, 300), position(0, 310)];
    cluster.nodes.forEach((node) => {
      const { always } = node;
      node.always = (request, response, raw) => {
        response.setHeader("X-Base-Position", request.method === "POST" ? (positions.shift() ?? "") : position(9, 1));

        always(request, response, raw);
      };
    });
    await client.fetch("/notes");
    await write(client);
    await write(client);
    await write(client);
    await client.fetch("/after");
    await client.fetch("/own", { headers: { "X-Base-Position": "own" } });
    assert.equal(sent(cluster, "/after", "x-base-position"), position(0, 310));
    assert.equal(sent(cluster, "/own", "x-base-position"), "own");
    assert.ok(cluster.calls.every((call) => call.method !== "POST" || call.headers["x-base-position"] === undefined));
  }));

  it("keeps the higher position of writes that overlap, until the cluster counts from lower epochs again", () => {
    const newest = new NewestPosition();
    newest.take(position(7, 300), 0);
    newest.take(position(7, 200), 0);
    assert.equal(newest.newest, position(7, 300));
    newest.take(position(3, 1), newest.taken);
    assert.equal(newest.newest, position(3, 1));
    newest.forget(3n);
    assert.equal(newest.newest, position(3, 1));
    newest.forget(2n);
    assert.equal(newest.newest, undefined);

    // What nobody here can read may be of any epoch.
    newest.take("not one", newest.taken);
    newest.forget(9n);
    assert.equal(newest.newest, undefined);

    // The same again is no news.
    newest.take(position(7, 300), newest.taken);
    const before = newest.taken;
    newest.take(position(7, 300), before);
    newest.take(position(3, 1), before);
    assert.equal(newest.newest, position(3, 1));
  });

  it("forgets a position together with its epoch", (t) => {
    let now = 0;
    t.mock.method(performance, "now", () => now);
    const cluster = new Cluster({ nodes: ["http://a", "http://b"], trustReportedLeaders: false, maxConcurrent: 1 });
    const [a, b] = cluster.configured;
    cluster.hear(a, 7n);
    cluster.position.take(position(7, 300), 0);
    cluster.hear(a, 0n);
    cluster.hear(b, undefined);
    now = 5_000;
    assert.equal(cluster.position.newest, position(7, 300));
    cluster.hear(b, 0n);
    assert.deepEqual([cluster.epochs.highest, cluster.position.newest], [0n, undefined]);
  });
});
