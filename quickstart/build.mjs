// Bundles the quickstart into app/quickstart/static.

import { build } from "esbuild";

import { Bundling } from "../bundling/bundle.mjs";

const target = new URL("../app/quickstart/static/", import.meta.url);
const bundling = new Bundling(build, new URL(".", import.meta.url), target);
const page = await bundling.bundle({ quickstart: "src/main.ts" });
await bundling.finish({ script: page("quickstart", ".js"), style: page("quickstart", ".css") });
