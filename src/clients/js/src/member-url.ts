/*
 * The one spelling of a node's base URL: what `URL.origin` says. Nodes are compared as strings, and a wrong match would
 * hand out a token.
 */

const maxLength = 512;

/** Takes an absolute http or https URL without user name, path, query and fragment; undefined for anything else. */
export function parseMember(text: unknown): string | undefined {
  // Before the parser, which forgives backslashes, line breaks and missing slashes.
  if (typeof text !== "string" || text.length > maxLength || !/^https?:\/\/[^\s/\\@?#]+\/?$/i.test(text)) {
    return undefined;
  }

  const url = tryParse(text);
  return url && memberOf(url);
}

/** The base URL that a URL belongs to; undefined when it is not http or https, or carries a user name. */
export function memberOf(url: URL): string | undefined {
  return /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" && url.hostname !== "" ? url.origin : undefined;
}

/**
 * The same resource on another node. Put together as text: resolved as a relative reference, a path that begins with two
 * slashes would name another host.
 */
export function onMember(member: string, resource: URL): URL {
  return new URL(member + resource.pathname + resource.search);
}

/** Path and query of an absolute URL as they were written, which is how nodes echo them. */
export function rawPathAndQuery(url: string): string {
  const authority = url.indexOf("://");
  const path = authority < 0 ? -1 : url.slice(authority + 3).search(/[/?]/);
  return path < 0 ? "/" : url.slice(authority + 3 + path);
}

/** True when a request would lose its encryption on the way. */
export function isDowngrade(from: string, to: string): boolean {
  return from.startsWith("https:") && !to.startsWith("https:");
}

export function tryParse(text: string, base?: URL): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}
