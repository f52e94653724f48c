export { LeaderClient } from "./client.js";
export { LeaderRoutingError, OutcomeUnknownError, type NodeReport } from "./errors.js";
export type { LeaderClientOptions } from "./options.js";
export type { LeaderRequestInit } from "./request.js";
