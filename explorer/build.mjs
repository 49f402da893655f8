// Bundles the explorer into app/explorer/static.

import { build } from "esbuild";

import { Bundling } from "../bundling/bundle.mjs";

const WORKERS = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
};

const target = new URL("../app/explorer/static/", import.meta.url);
const bundling = new Bundling(build, new URL(".", import.meta.url), target);
const worker = await bundling.bundle(WORKERS);
const names = Object.fromEntries(Object.keys(WORKERS).map((label) => [label, worker(label, ".js")]));
const page = await bundling.bundle(
  { explorer: "src/main.tsx" },
  { WORKER_NAMES: JSON.stringify(names) },
);
await bundling.finish({ script: page("explorer", ".js"), style: page("explorer", ".css") });
