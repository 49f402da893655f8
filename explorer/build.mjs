// Bundles the explorer into app/explorer/static. The name of every served file carries a hash of
// its content, so browsers may keep it for ever; manifest.json says which two files the page names.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const TARGET = fileURLToPath(new URL("../app/explorer/static/", import.meta.url));

const WORKERS = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
};

/** Bundles the entry points; returns what esbuild read and wrote. */
async function bundle(entryPoints, define = {}) {
  const { metafile } = await build({
    absWorkingDir: HERE,
    entryPoints,
    define,
    outdir: TARGET,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["chrome123", "firefox120", "safari17.5"],
    entryNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    loader: { ".ttf": "file" },
    legalComments: "none",
    logLevel: "warning",
    metafile: true,
  });
  return metafile;
}

/** Finds the name of the file written for an entry point. */
function written(metafile, entry, ending) {
  const names = Object.keys(metafile.outputs).map((path) => basename(path));
  return names.find((name) => name.startsWith(`${entry}-`) && name.endsWith(ending));
}

/** Collects the licences of the packages whose code went into the bundles. */
async function licences(...metafiles) {
  const paths = metafiles.flatMap((metafile) => Object.keys(metafile.inputs));
  const folders = new Set(
    paths.map((path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter(Boolean),
  );
  return Promise.all([...folders].sort().map(licence));
}

async function licence(folder) {
  const { name, version, license } = JSON.parse(
    await readFile(join(HERE, folder, "package.json"), "utf8"),
  );
  const file = (await readdir(join(HERE, folder))).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? await readFile(join(HERE, folder, file), "utf8") : "";
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
}

const workers = await bundle(WORKERS);
const workerNames = Object.fromEntries(
  Object.keys(WORKERS).map((label) => [label, written(workers, label, ".js")]),
);
const page = await bundle(
  { explorer: "src/main.tsx" },
  { WORKER_NAMES: JSON.stringify(workerNames) },
);
const manifest = {
  script: written(page, "explorer", ".js"),
  style: written(page, "explorer", ".css"),
};
await writeFile(join(TARGET, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
await writeFile(join(TARGET, "licences.txt"), (await licences(workers, page)).join("\n----\n\n"));
