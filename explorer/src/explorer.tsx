import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { GraphiQL } from "graphiql";
import { useEffect, useRef, useState } from "react";

import { createFetcher } from "./server";

const FIRST_QUERY = `# Who am I?
#
# 1. Signed in at /quickstart? Then \`me\` is you. Else
#    paste a session token above: \`me\` is its user.
#    With a secret key ask \`users\` instead.
# 2. Press play (Ctrl-Enter) to run the query.
# 3. Open the book on the left to see all there
#    is to ask for. Ctrl-Space completes names.

{
  me {
    id
    publicMetadata
    unsafeMetadata
  }
}
`;

/**
 * The whole page. The key lives in its input field and nowhere else. GraphiQL keeps its tabs and
 * history, which may hold a password among the variables, for this browser tab only; its editor
 * for headers stays off because the history would write them down.
 */
export function Explorer() {
  const field = useRef<HTMLInputElement>(null);
  const [fetcher] = useState(() => createFetcher(() => field.current?.value.trim() ?? ""));
  return (
    <>
      <header>
        <h1>Sekisho</h1>
        <label htmlFor="key">Secret key or session token</label>
        <input
          id="key"
          ref={field}
          type="password"
          placeholder="sk_…"
          autoComplete="off"
          spellCheck={false}
          aria-describedby="key-hint"
        />
        <p id="key-hint">
          Sent as <code>Authorization: Bearer</code> when filled in, and forgotten when you leave
          this page. The session cookie of this site is always sent
          (<code>credentials: "same-origin"</code>).
        </p>
      </header>
      <main>
        <GraphiQL
          fetcher={fetcher}
          defaultQuery={FIRST_QUERY}
          storage={sessionStorage}
          isHeadersEditorEnabled={false}
          shouldPersistHeaders={false}
          showPersistHeadersSettings={false}
        >
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
          <NamedEditors />
          <SystemColours />
        </GraphiQL>
      </main>
    </>
  );
}

/** Gives each editor a name that a screen reader can say. */
function NamedEditors() {
  const query = useGraphiQL((state) => state.queryEditor);
  const variables = useGraphiQL((state) => state.variableEditor);
  const response = useGraphiQL((state) => state.responseEditor);
  useEffect(() => query?.updateOptions({ ariaLabel: "Operation" }), [query]);
  useEffect(() => variables?.updateOptions({ ariaLabel: "Variables" }), [variables]);
  useEffect(() => response?.updateOptions({ ariaLabel: "Response" }), [response]);
  return null;
}

/** Changes the editors' colours at once when the system goes from light to dark or back. */
function SystemColours() {
  const theme = useGraphiQL((state) => state.theme);
  const { setTheme } = useGraphiQLActions();
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const repaint = () => setTheme(theme);
    dark.addEventListener("change", repaint);
    return () => dark.removeEventListener("change", repaint);
  }, [theme, setTheme]);
  return null;
}
