import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LeaderClient, OutcomeUnknownError } from "../dist/index.js";
import { FakeCluster, json, redirect } from "./support/fake-cluster.js";

/** What a page gets to see of a `fetch`. @param {string | URL | Request} input @param {RequestInit} [init] */
async function asInPage(input, init) {
  const response = await fetch(input, init).catch((error) => {
    throw error instanceof TypeError ? new TypeError("Failed to fetch") : error;
  });
  if (init?.redirect === "manual" && response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    return opaqueRedirect();
  }

  return response;
}

const opaqueRedirect = () => Object.defineProperty(Response.error(), "type", { value: "opaqueredirect" });

/** @param {(cluster: FakeCluster, client: LeaderClient, write: (init?: RequestInit) => Promise<Response>) => Promise<void>} body */
const withCluster = (body, known = true, count = 2) => async () => {
  const cluster = await FakeCluster.start(count);
  try {
    const client = new LeaderClient({ nodes: known ? cluster.urls : [cluster.urls[1]], deadline: 3_000, fetch: asInPage, warn: () => {} });
    await body(cluster, client, (init) => client.fetch("/notes", { method: "POST", body: "x", ...init }));
  } finally {
    await cluster.stop();
  }
};

/** Finds out that redirects are hidden. @param {FakeCluster} cluster @param {LeaderClient} client */
async function findOut(cluster, client) {
  const always = cluster.nodes.map((node) => node.always);
  cluster.nodes.forEach((node) => (node.always = (request, response) => redirect(response, `${node.url}/elsewhere`)));
  await assert.rejects(client.fetch("/notes", { method: "POST" }), OutcomeUnknownError);
  cluster.nodes.forEach((node, i) => ((node.always = always[i]), (node.seen = [])));
}

/** Compiles only while it takes what `fetch` takes. @type {(client: LeaderClient) => typeof fetch} */
export const asFetch = (client) => client.fetch;

describe("where the platform hides redirects", () => {
  it("a hidden redirect of a write may be the application's, so its outcome is unknown", withCluster(async (cluster, client) => {
    await findOut(cluster, client);
  }));

  it("asks nodes to refuse, and goes where they say", withCluster(async (cluster, client, write) => {
    await findOut(cluster, client);
    for (const epoch of [1, 2, 3]) {
      cluster.leader = cluster.nodes[epoch % 2];
      cluster.epoch = epoch;
      assert.equal((await write({ headers: { Authorization: "secret" } })).status, 201);
    }

    assert.ok(cluster.calls.every((call) => call.headers["x-base-forwarded-by"] === "fetch:page" && call.headers.authorization === "secret"));
    assert.ok(cluster.calls.length <= 6);
  }));

  it("waits while nobody leads", withCluster(async (cluster, client, write) => {
    await findOut(cluster, client);
    const { leader } = cluster;
    cluster.leader = undefined;
    const node = cluster.nodes[1];
    const { always } = node;
    node.always = (_, response) => {
      cluster.leader = leader;
      node.always = always;
      json(response, 503, { error: "not leader", leader_known: false }, "application/problem+json");
    };
    assert.equal((await write()).status, 201);
  }));

  it("lets the nodes send it where they name a leader that is no member", withCluster(async (cluster, client, write) => {
    await findOut(cluster, client);
    cluster.nodes[1].seen = [];
    assert.equal((await write({ headers: { Authorization: "secret" } })).status, 201);
    const [foreign, member] = cluster.nodes;
    assert.deepEqual(member.calls.map((call) => call.headers["x-base-forwarded-by"]), ["fetch:page", undefined]);
    assert.deepEqual(foreign.calls.map((call) => call.headers.authorization), [undefined]);

    // It remembers, and asks directly again once a member leads.
    await write();
    assert.deepEqual(member.calls.map((call) => call.headers["x-base-forwarded-by"]), ["fetch:page", undefined, undefined]);
    cluster.leader = member;
    cluster.epoch = 2;
    await write();
    await write();
    assert.equal(member.calls.at(-1)?.headers["x-base-forwarded-by"], "fetch:page");
  }, false));

  it("does not let the platform follow where that would lose the encryption", async () => {
    /** @type {[boolean, RequestRedirect | undefined][]} */
    const sent = [];
    const client = new LeaderClient({
      nodes: ["https://a"],
      warn: () => {},
      fetch: async (_, init) => {
        const isMarked = new Headers(init?.headers).has("X-Base-Forwarded-By");
        sent.push([isMarked, init?.redirect]);
        const headers = { "X-Base-Not-Executed": "1", "Content-Type": "application/problem+json" };
        return sent.length === 1
          ? opaqueRedirect()
          : isMarked ? new Response(JSON.stringify({ error: "not leader", leader_known: true, leader: "http://b", epoch: 1 }), { status: 503, headers }) : new Response("");
      },
    });
    await assert.rejects(client.fetch("/notes", { method: "POST" }), OutcomeUnknownError);
    assert.equal((await client.fetch("/notes", { method: "POST" })).status, 200);
    assert.deepEqual(sent, [[false, "manual"], [true, "follow"], [false, "manual"]]);
  });

  it("tries the next node for a read that fails, and then leaves the dead one alone", withCluster(async (cluster, client) => {
    await findOut(cluster, client);
    cluster.leader = cluster.nodes[1];
    await cluster.nodes[0].stop();
    for (let i = 0; i < 6; i++) {
      assert.equal((await client.fetch("/notes")).status, 200);
    }
  }));

  it("gives the caller the redirect that he asked to see", withCluster(async (cluster, client, write) => {
    await findOut(cluster, client);
    cluster.nodes[0].next = [(_, response) => response.writeHead(303, { Location: "/x" }).end()];
    await client.fetch("/notes");
    await client.fetch("/notes");
    cluster.nodes[0].next = [(_, response) => response.writeHead(303, { Location: "/x" }).end()];
    assert.equal((await write({ redirect: "manual" })).type, "opaqueredirect");
  }));
});
