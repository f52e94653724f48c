import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cluster } from "../dist/cluster.js";

describe("what is known of the nodes", () => {
  /** @type {Set<import("../dist/cluster.js").Member>} */
  const none = new Set();
  let now = 0;

  /** Without jitter: back-offs of 500 ms, 1 s and so on; the first turn is b's. @param {(cluster: Cluster, nodes: import("../dist/cluster.js").Member[]) => void} body */
  const withCluster = (body) => (/** @type {import("node:test").TestContext} */ t) => {
    now = 0;
    t.mock.method(performance, "now", () => now);
    t.mock.method(Math, "random", () => 0);
    const nodes = ["http://a", "http://b", "http://c"];
    const cluster = new Cluster({ nodes, trustReportedLeaders: false, maxConcurrent: 1 });
    body(cluster, [...cluster.configured]);
  };

  /** @param {Cluster} cluster */
  const choices = (cluster, times = 3, toLeader = false, tried = none) =>
    Array.from({ length: times }, () => cluster.choose(toLeader, tried)?.url.at(-1) ?? "-").join("");

  it("the leader is chosen for what needs it, unless it was tried or is avoided; else all in turn", withCluster((cluster, [a, b, c]) => {
    assert.equal(choices(cluster, 4, true), "bcab");
    cluster.learn(c.url, 1n, a);
    assert.equal(choices(cluster, 3, true), "ccc");
    assert.equal(choices(cluster, 4), "cabc");
    assert.equal(choices(cluster, 3, true, new Set([c])), "aba");
    cluster.failed(c);
    assert.equal(choices(cluster, 3, true), "aba");
    now = 500;
    assert.equal(choices(cluster, 2, true), "ca");
    assert.equal(choices(cluster, 3, false, new Set([a, b])), "---");
  }));

  it("a node that failed is left out, then tried by one call, and avoided for longer when that fails", withCluster((cluster, [a]) => {
    cluster.failed(a);
    cluster.failed(a);
    assert.deepEqual([a.failures, a.avoidUntil], [1, 500]);
    assert.equal(choices(cluster, 4), "bcbb");
    now = 500;
    assert.equal(choices(cluster, 6), "cabcbb");
    cluster.failed(a);
    assert.deepEqual([a.failures, a.avoidUntil], [2, 1_500]);
    assert.equal(cluster.tryClaim(a), false);
    now = 1_500;
    assert.equal(cluster.tryClaim(a), true);
    assert.equal(cluster.tryClaim(a), false);
    cluster.answered(a);
    assert.deepEqual([a.failures, a.avoidUntil, a.lastAnswer], [0, 0, 1_500]);
    assert.equal(choices(cluster), "cab");
  }));

  it("of nodes that are all avoided the one comes first that is for the shortest time, and no other in the same round", withCluster((cluster, nodes) => {
    const [a, b, c] = nodes;
    for (const node of [c, a, b]) {
      cluster.failed(node);
      now += 100;
    }

    assert.equal(choices(cluster, 3, false, new Set([c])), "---");
    assert.equal(choices(cluster, 3), "cab");
    assert.ok(nodes.every((node) => node.avoidUntil === now + 2_000));
  }));

  it("a node that is full is passed over while others are not", withCluster((cluster, nodes) => {
    void nodes[1].gate.enter(1, null);
    assert.equal(choices(cluster), "cca");
    nodes.forEach((node) => node.gate.isFull || void node.gate.enter(1, null));
    assert.equal(choices(cluster), "bca");
    assert.equal(choices(cluster, 3, false, new Set([nodes[0]])), "bcb");
  }));

  it("nobody believes who calls a dead node the leader it was, and all who name a later epoch", withCluster((cluster, [a, b]) => {
    cluster.learn(b.url, 5n, a);
    cluster.failed(b);
    cluster.learn(b.url, 5n, a);
    assert.equal(b.avoidUntil, 500);
    cluster.forget(a);
    assert.equal(cluster.leader, b);
    cluster.forget(b);
    cluster.learn(b.url, 5n, a);
    assert.equal(cluster.leader, undefined);
    cluster.learn(b.url, 6n, a);
    assert.deepEqual([cluster.leader, b.avoidUntil], [b, 0]);
    cluster.learn(a.url, 5n, b);
    assert.equal(cluster.leader, b);

    // It redirects, and dies after that.
    cluster.forget(b);
    cluster.failed(b);
    cluster.learn(b.url, 6n, a);
    assert.equal(cluster.leader, undefined);
  }));

  it("leaders that are no members are known by configured nodes' words only, and not without end", withCluster((cluster, [a]) => {
    const other = cluster.learn("http://other", 1n, a);
    assert.deepEqual([other?.configured, other?.trusted, cluster.leader], [false, false, undefined]);
    assert.equal(cluster.learn("http://another", 1n, /** @type {any} */ (other)), undefined);
    const learned = Array.from({ length: 70 }, (_, i) => cluster.learn(`http://n${i}`, 1n, a)).filter(Boolean);
    assert.equal(learned.length, 63);
    assert.equal(cluster.learn("http://other", 2n, a), other);
  }));
});
