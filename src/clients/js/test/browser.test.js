import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { breakOff, FakeCluster, json, refuse } from "./support/fake-cluster.js";
import { chromium, Page } from "./support/page.js";

describe("in Chromium, on a page of another origin", { skip: chromium ? false : "Chromium is not installed" }, () => {
  /** @type {Page} */
  let page;
  before(async () => {
    page = await Page.open();
  });
  after(() => page.close());

  /** @param {(cluster: FakeCluster) => Promise<void>} body */
  const withCluster = (body, count = 3) => async () => {
    const cluster = await FakeCluster.start(count);
    cluster.cors = true;
    try {
      await body(cluster);
    } finally {
      await cluster.stop();
    }
  };

  /** Some writes, one after the other, and what became of each. */
  const writes = (/** @type {any} */ ha, nodes, count, init = {}, options = {}) =>
    (async () => {
      const client = (globalThis[`client ${nodes} ${JSON.stringify(options)}`] ??= new ha.LeaderClient({ nodes, deadline: 5_000, ...options }));
      const came = [];
      for (let i = 0; i < count; i++) {
        const headers = { Authorization: "Bearer x", "Content-Type": "application/json", ...init.headers };
        came.push(await client.fetch("/notes", { method: "POST", body: `${i}`, ...init, headers }).then((a) => a.status, (e) => e.name));
      }

      return came;
    })();

  /** @param {FakeCluster} cluster */
  const writesBy = (cluster) => cluster.nodes.map((node) => node.calls.filter((call) => call.method === "POST"));

  it("writes reach the leader with the page's origin and credentials, and are executed once", withCluster(async (cluster) => {
    for (const leader of [2, 0, 1]) {
      cluster.leader = cluster.nodes[leader];
      cluster.epoch++;
      cluster.forget();
      assert.deepEqual(await page.run(writes, cluster.urls, 3), [201, 201, 201]);
      const led = writesBy(cluster)[leader];
      assert.deepEqual(led.map((call) => [call.body, call.headers.origin, call.headers.authorization]),
        ["0", "1", "2"].map((body) => [body, page.origin, "Bearer x"]));
      assert.ok(cluster.calls.length <= 5, `${cluster.calls.length} requests`);
    }
  }));

  it("each attempt gets an authorization of its own, and a call without one sends nothing", withCluster(async (cluster) => {
    cluster.leader = cluster.nodes[1];
    const authorized = async (/** @type {any} */ ha, nodes) => {
      let asked = 0;
      const client = new ha.LeaderClient({
        nodes,
        getAuthorization: async () => {
          if (++asked > 2) {
            throw new TypeError("no token");
          }

          return `Bearer ${asked}`;
        },
      });
      const came = [];
      for (const method of ["GET", "POST", "POST"]) {
        came.push(await client.fetch("/notes", { method }).then((a) => a.status, (e) => `${e.name} ${e.cause?.message}`));
      }

      return came;
    };
    assert.deepEqual(await page.run(authorized, cluster.urls), [200, 201, "LeaderRoutingError no token"]);
    assert.deepEqual(cluster.calls.map((call) => call.headers.authorization).sort(), ["Bearer 1", "Bearer 2"]);
  }));

  it("without exposed headers the bodies say enough", withCluster(async (cluster) => {
    cluster.exposed = "";
    cluster.leader = cluster.nodes[1];
    assert.deepEqual(await page.run(writes, cluster.urls, 2), [201, 201]);
    cluster.leader = cluster.nodes[2];
    cluster.epoch++;
    cluster.nodes[2].next = [(_, response) => refuse(response, "no leader")];
    assert.deepEqual(await page.run(writes, cluster.urls, 2), [201, 201]);
  }));

  it("reads need no preflight and go to all nodes, also when one is dead", withCluster(async (cluster) => {
    const reads = (/** @type {any} */ ha, nodes) => {
      const client = (globalThis.reader ??= new ha.LeaderClient({ nodes }));
      return Promise.all([1, 2, 3, 4, 5, 6].map(() => client.fetch("/notes", { cache: "no-store" }).then((a) => a.status)));
    };
    assert.deepEqual(await page.run(reads, cluster.urls), [200, 200, 200, 200, 200, 200]);
    assert.deepEqual(cluster.nodes.map((node) => node.calls.length), [2, 2, 2]);
    assert.ok(cluster.calls.every((call) => call.headers["x-base-forwarded-by"] === undefined));
    const urls = cluster.urls;
    cluster.leader = cluster.nodes[1];
    await cluster.nodes[0].stop();
    assert.deepEqual(await page.run(reads, urls), [200, 200, 200, 200, 200, 200]);
  }));

  it("a broken connection leaves a write without a key unknown; with one it is sent again under it", withCluster(async (cluster) => {
    const [node] = cluster.nodes;
    cluster.keepsConnections = false;
    node.next = [breakOff];
    assert.deepEqual(await page.run(writes, cluster.urls, 1), ["OutcomeUnknownError"]);
    assert.equal(node.calls.length, 1);
    node.next = [breakOff];
    assert.deepEqual(await page.run(writes, cluster.urls, 1, {}, { addIdempotencyKey: true }), [201]);
    const keys = node.calls.slice(1).map((call) => call.headers["idempotency-key"]);
    assert.match(String(keys[0]), /^"[0-9a-f]{32}"$/);
    assert.deepEqual(keys, [keys[0], keys[0]]);
  }, 1));

  it("on a connection that was used before, Chromium itself sends a write again, for which only a key helps", withCluster(async (cluster) => {
    const [node] = cluster.nodes;
    await page.run(writes, cluster.urls, 1);
    node.seen = [];
    node.next = [breakOff];
    assert.deepEqual(await page.run(writes, cluster.urls, 1), [201]);
    assert.equal(node.calls.length, 2);
  }, 1));

  it("where a leader is no member, its node sends the browser there, without credentials", withCluster(async (cluster) => {
    const [foreign, member] = cluster.nodes;
    assert.deepEqual(await page.run(writes, [member.url], 2, {}, { warn: undefined }), [201, 201]);
    assert.deepEqual(writesBy(cluster)[0].map((call) => [call.headers.authorization, call.headers.origin]), [[undefined, "null"], [undefined, "null"]]);
    assert.deepEqual(writesBy(cluster)[1].map((call) => call.headers["x-base-forwarded-by"]), ["fetch:page", undefined, undefined]);

    // A node that forwards does the same with all of it.
    member.always = (request, response) =>
      request.headers["x-base-forwarded-by"] ? cluster.asNode(member, request, response) : json(response, 201, { by: "leader" });
    assert.deepEqual(await page.run(writes, [member.url], 1), [201]);
  }, 2));

  it("redirects of the application are followed by the browser", withCluster(async (cluster) => {
    cluster.nodes.forEach((node) => (node.always = (request, response) =>
      request.path === "/there"
        ? json(response, 200, { method: request.method })
        : node === cluster.leader || request.method === "GET" ? response.writeHead(303, { Location: "/there" }).end() : cluster.asNode(node, request, response)));
    const follow = async (/** @type {any} */ ha, nodes, method) => {
      const answer = await new ha.LeaderClient({ nodes }).fetch("/from", { method });
      return [answer.redirected, await answer.json()];
    };
    assert.deepEqual(await page.run(follow, cluster.urls, "GET"), [true, { method: "GET" }]);
    assert.deepEqual(await page.run(follow, cluster.urls, "POST"), [true, { method: "GET" }]);
  }));

  it("forms, blobs and bytes arrive the same each time", withCluster(async (cluster) => {
    const [node] = cluster.nodes;
    const sendAll = async (/** @type {any} */ ha, nodes) => {
      const client = new ha.LeaderClient({ nodes });
      const form = new FormData();
      form.append("f", new Blob(["file"]), "f.txt");
      const came = [];
      for (const body of [form, new Blob(["blob"], { type: "a/b" }), new TextEncoder().encode("bytes"), new URLSearchParams({ q: "1" }), "text"]) {
        came.push((await client.fetch("/notes", { method: "POST", body, headers: { "Idempotency-Key": "k" } })).status);
      }

      return came;
    };
    node.always = (request, response) =>
      node.calls.length % 2 === 1 ? refuse(response, "no leader") : cluster.asNode(node, request, response);
    assert.deepEqual(await page.run(sendAll, cluster.urls), [201, 201, 201, 201, 201]);
    const sent = node.calls.map((call) => [call.body, call.headers["content-type"]]);
    assert.equal(sent.length, 10);
    for (let i = 0; i < 10; i += 2) {
      assert.deepEqual(sent[i], sent[i + 1]);
    }
  }, 1));

  it("the caller's signal ends a call, a pause and the reading of an answer", withCluster(async (cluster) => {
    const [node] = cluster.nodes;
    node.always = (request, response) => {
      if (request.path === "/pause") {
        refuse(response, "no leader", "20");
      } else if (request.path === "/half") {
        response.writeHead(200, { "Content-Length": 10, "Content-Type": "text/plain" }).write("half");
      }
    };
    const abort = async (/** @type {any} */ ha, nodes) => {
      const client = new ha.LeaderClient({ nodes });
      const came = [];
      for (const path of ["/silent", "/pause"]) {
        const controller = new AbortController();
        setTimeout(() => controller.abort(), 200);
        came.push(await client.fetch(path, { method: "POST", signal: controller.signal }).catch((error) => error.name));
      }

      const controller = new AbortController();
      const answer = await client.fetch("/half", { signal: controller.signal });
      setTimeout(() => controller.abort(), 50);
      came.push(await answer.text().catch((error) => error.name));
      return came;
    };
    assert.deepEqual(await page.run(abort, cluster.urls), ["AbortError", "AbortError", "AbortError"]);
  }, 1));
});
