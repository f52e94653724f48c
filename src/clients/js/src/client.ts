import { RoutedCall, type Routing } from "./call.js";
import { Cluster } from "./cluster.js";
import { memberOf } from "./member-url.js";
import { checkOptions, type LeaderClientOptions } from "./options.js";
import { hidesRedirects } from "./platform.js";
import { CallRequest, type LeaderRequestInit } from "./request.js";

/**
 * A `fetch` for one cluster: writes go straight to the leader, reads to all nodes in turn, and what certainly was not executed is
 * sent again. Keep one for as long as the application runs: it remembers who leads, and which nodes do not answer.
 */
export class LeaderClient {
  readonly #routing: Routing;

  /** @throws TypeError An option is out of range. */
  constructor(options: LeaderClientOptions) {
    const checked = checkOptions(options);
    this.#routing = {
      options: checked,
      cluster: new Cluster(checked),
      foreignLeaders: new Set(),
      hidden: hidesRedirects(),
      passedOn: false,
    };
  }

  /**
   * As the platform's `fetch`, for URLs of the cluster: relative ones, or absolute ones on one of its nodes, whichever it is.
   * Bound to the client, so that it can be handed on as a function.
   *
   * @throws OutcomeUnknownError A write may have been executed, and may not.
   * @throws LeaderRoutingError Nobody answered within the deadline; a write was certainly not executed.
   * @throws TypeError The arguments are wrong, or the URL is not of the cluster. Nothing was sent.
   * @throws The signal's reason, when the caller gives up.
   */
  readonly fetch = async (input: string | URL | Request, init?: LeaderRequestInit): Promise<Response> => {
    const start = performance.now();
    const { options, cluster } = this.#routing;
    const url = new URL(input instanceof Request ? input.url : input, `${options.nodes[0]}/`);
    const member = memberOf(url);
    if (!member || !cluster.isTrusted(member)) {
      throw new TypeError(
        `This client talks to its cluster only, and ${member ?? "the request's URL"} is not one of its nodes. ` +
          "Add it to nodes, use a relative URL, or the platform's fetch for other hosts.",
      );
    }

    const request = await CallRequest.of(url, input, init, options);
    return new RoutedCall(this.#routing, request, start).run();
  };
}
