// Asks the GraphQL API of the server that served this page.

const QUERY = `{
  me {
    id
    username
    emails { address isPrimary isVerified }
    publicMetadata
    unsafeMetadata
  }
}`;

/** What the API says of the caller, as text; the browser sends the session's cookie. */
export async function me(): Promise<{ text: string; isSomebody: boolean }> {
  const response = await fetch("/graphql", {
    method: "POST",
    credentials: "same-origin",
    cache: "no-store",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: QUERY }),
  });
  const { data, errors } = await response.json();
  const shown = errors ? { data, errors } : data;
  return { text: JSON.stringify(shown, null, 2), isSomebody: Boolean(data?.me) };
}
