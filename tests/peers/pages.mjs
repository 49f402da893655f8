// What the providers of the tests have in common: their arguments, and their one page.

import { createHash } from "node:crypto";
import { parseArgs } from "node:util";

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Reads `--name value` for each of *names*; all of them have to be there. */
export function argumentsOf(...names) {
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
  const { values } = parseArgs({ options, strict: true });
  const missing = names.filter((name) => values[name] === undefined);
  if (missing.length) throw new Error(`Missing: ${missing.join(", ")}`);
  return values;
}

/** Writes a page; it asks for no icon, so that a browser's console stays empty. */
export function page(title, body) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>${escape(title)}</h1>
${body}
</body>
</html>
`;
}

/** Writes the form in which people say who they are; there are no passwords here. */
export function signInForm(title, hidden = {}) {
  return page(
    title,
    `<form method="post">
${inputs(hidden)}
<label>Login <input name="login" required></label>
<button name="answer" value="yes">Sign in</button>
<button name="answer" value="no" formnovalidate>Cancel</button>
</form>`,
  );
}

/** Writes a form that sends itself off. */
export function postingForm(title, action, fields) {
  return page(
    title,
    `<form method="post" action="${escape(action)}">
${inputs(fields)}
</form>
<script>document.forms[0].submit();</script>`,
  );
}

/** Knows everybody by their login, an address: who they are, and whether it is theirs for sure. */
export function person(login) {
  const [name] = login.split("@");
  return {
    subject: createHash("sha256").update(login).digest("hex").slice(0, 20),
    email: login,
    isVerified: !name.startsWith("unverified"),
    name: name[0].toUpperCase() + name.slice(1),
  };
}

/** Reads a form that a browser has posted. */
export async function formOf(request) {
  let text = "";
  for await (const part of request.setEncoding("utf8")) text += part;
  return Object.fromEntries(new URLSearchParams(text));
}

/** Listens on loopback, and says so to who has started this. */
export function listen(server, port) {
  server.listen(Number(port), "127.0.0.1", () => console.log("ready"));
}

function inputs(fields) {
  return Object.entries(fields)
    .filter(([, value]) => value)
    .map(([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`)
    .join("\n");
}

function escape(text) {
  return String(text).replace(/[&<>"]/g, (character) => ESCAPES[character]);
}
