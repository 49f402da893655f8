// Talks to the server that served this page.

import type { Fetcher } from "@graphiql/toolkit";

/** Makes the function that GraphiQL sends every operation through, with the key of the moment. */
export function createFetcher(key: () => string): Fetcher {
  return async (operation) => {
    try {
      const response = await fetch(location.pathname, {
        method: "POST",
        credentials: "same-origin",
        cache: "no-store",
        headers: headers(key()),
        body: JSON.stringify(operation),
      });
      return parse(await response.text(), response.status);
    } catch (error) {
      return { errors: [{ message: (error as Error).message }] };
    }
  };
}

function headers(key: string): Record<string, string> {
  return {
    "Content-Type": "application/json",
    Accept: "application/graphql-response+json, application/json",
    ...(key && { Authorization: `Bearer ${key}` }),
  };
}

function parse(body: string, status: number) {
  try {
    return JSON.parse(body, exactly);
  } catch {
    throw new Error(`The server answered with status ${status} and no JSON.`);
  }
}

type RawJson = { rawJSON?(text: string): unknown };

/** Keeps a number as it was sent where JavaScript would show another, such as 1.1 for 1.10. */
function exactly(_name: string, value: unknown, context?: { source?: string }) {
  const source = context?.source;
  const differs = typeof value === "number" && source !== undefined && String(value) !== source;
  return (differs && (JSON as RawJson).rawJSON?.(source)) || value;
}
