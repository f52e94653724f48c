import { createServer } from "node:http";
import { once } from "node:events";

/**
 * @typedef {{ node: FakeNode, method: string, path: string, headers: import("node:http").IncomingHttpHeaders, body: string }} Seen
 * @typedef {(request: Seen, response: import("node:http").ServerResponse, raw: import("node:http").IncomingMessage) => unknown} Script
 */

/** One node on a port of its own that says what a test wants. */
export class FakeNode {
  /** @type {Seen[]} */
  seen = [];

  /** @type {Script[]} What the next requests meet, one each; then `always`. */
  next = [];

  /** @type {Script} */
  always = (request, response) => this.cluster.asNode(this, request, response);

  /** @param {FakeCluster} cluster @param {number} index */
  constructor(cluster, index) {
    this.cluster = cluster;
    this.id = `n${index}`;
    this.server = createServer((raw, response) => {
      /** @type {Buffer[]} */
      const parts = [];
      raw.on("data", (part) => parts.push(part));
      raw.on("error", () => {});
      raw.on("end", () => {
        const body = Buffer.concat(parts).toString();
        response.shouldKeepAlive &&= cluster.keepsConnections;
        if (cluster.answerPreflight(raw, response)) {
          return;
        }

        const request = { node: this, method: raw.method ?? "", path: raw.url ?? "", headers: raw.headers, body };
        this.seen.push(request);
        (this.next.shift() ?? this.always)(request, response, raw);
      });
    });
  }

  /** Those that are not questions of the client's own. */
  get calls() {
    return this.seen.filter((request) => !request.path.startsWith("/_ha/"));
  }

  get url() {
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.server.address());
    return `http://127.0.0.1:${port}`;
  }

  async start(port = 0) {
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = Number(new URL(this.url).port);
  }

  async stop() {
    if (this.server.listening) {
      this.server.closeAllConnections();
      this.server.close();
      await once(this.server, "close");
    }
  }
}

/** Nodes that behave as Ha's do, unless a test says otherwise. */
export class FakeCluster {
  /** @type {FakeNode | undefined} */
  leader;
  epoch = 1;

  keepsConnections = true;
  cors = false;
  exposed = "X-Base-Leader, X-Base-Epoch, X-Base-Node, X-Base-Not-Executed, Retry-After";

  /** @param {number} count */
  static async start(count) {
    const cluster = new FakeCluster();
    cluster.nodes = Array.from({ length: count }, (_, i) => new FakeNode(cluster, i));
    await Promise.all(cluster.nodes.map((node) => node.start()));
    cluster.leader = cluster.nodes[0];
    return cluster;
  }

  /** @type {FakeNode[]} */
  nodes = [];

  get urls() {
    return this.nodes.map((node) => node.url);
  }

  get calls() {
    return this.nodes.flatMap((node) => node.calls);
  }

  forget() {
    this.nodes.forEach((node) => (node.seen = []));
  }

  async stop() {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  /** @param {FakeNode} node @param {Seen} request @param {import("node:http").ServerResponse} response */
  asNode(node, request, response) {
    node.cluster.sign(node, response);
    if (request.path === "/_ha/leader") {
      return json(response, 200, { leader_url: this.leader?.url ?? "", epoch: this.epoch });
    }

    const isWrite = !["GET", "HEAD", "OPTIONS", "QUERY"].includes(request.method);
    if (!isWrite || node === this.leader) {
      return json(response, isWrite ? 201 : 200, { by: node.id, body: request.body });
    }

    if (request.headers["x-base-forwarded-by"] !== undefined) {
      return this.leader && node !== this.leader
        ? refuse(response, "not leader", "1", { leader_known: true, leader: this.leader.url, epoch: this.epoch })
        : refuse(response, "not leader", "1");
    }

    return this.leader ? redirect(response, this.leader.url + request.path, this.leader.url) : refuse(response, "no leader");
  }

  /**
   * As `UseCors` before `UseHa`, for pages of any origin. Node's own routes come before it.
   *
   * @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response
   */
  answerPreflight(request, response) {
    if (!this.cors || request.headers.origin === undefined || request.url?.startsWith("/_ha/")) {
      return false;
    }

    response.setHeader("Access-Control-Allow-Origin", request.headers.origin).setHeader("Vary", "Origin");
    response.setHeader("Access-Control-Allow-Credentials", "true");
    if (this.exposed) {
      response.setHeader("Access-Control-Expose-Headers", this.exposed);
    }

    if (request.method !== "OPTIONS") {
      return false;
    }

    response.setHeader("Access-Control-Allow-Methods", request.headers["access-control-request-method"] ?? "");
    response.setHeader("Access-Control-Allow-Headers", request.headers["access-control-request-headers"] ?? "");
    response.writeHead(204).end();
    return true;
  }

  /** @param {FakeNode} node @param {import("node:http").ServerResponse} response */
  sign(node, response) {
    response.setHeader("X-Base-Node", node.id);
    response.setHeader("X-Base-Epoch", String(this.epoch));
    if (this.leader) {
      response.setHeader("X-Base-Leader", this.leader.url);
    }
  }
}

/** @param {import("node:http").ServerResponse} response @param {number} status @param {unknown} value */
export function json(response, status, value, type = "application/json") {
  const body = JSON.stringify(value);
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) }).end(body);
}

/** @param {import("node:http").ServerResponse} response @param {string} location @param {string} [leader] */
export function redirect(response, location, leader) {
  response.setHeader("Location", location);
  json(response, 307, leader ? { error: "not leader", leader, epoch: 1 } : { hello: "there" });
}

/** @param {import("node:http").ServerResponse} response @param {string} error */
export function refuse(response, error, retryAfter = "0", more = {}) {
  response.setHeader("X-Base-Not-Executed", "1");
  response.setHeader("Retry-After", retryAfter);
  json(response, 503, { title: "Service Unavailable", status: 503, error, leader_known: false, ...more }, "application/problem+json");
}

/** @param {import("node:http").ServerResponse} response */
export function unknown(response) {
  json(response, 502, { title: "Bad Gateway", status: 502, error: "outcome unknown" }, "application/problem+json");
}

/** @type {Script} The connection breaks after the request has arrived. */
export const breakOff = (_request, response) => response.destroy();
