/** An exponential delay in ms, less up to half of it: jitter keeps the clients of a cluster from coming back all at once. */
export function backoff(first: number, max: number, step: number): number {
  return Math.min(first * 2 ** Math.min(step, 30), max) * (1 - Math.random() / 2);
}

/** At least what the server asks for, in ms, and up to a quarter more. */
export function atLeast(asked: number): number {
  return asked * (1 + Math.random() / 4);
}
