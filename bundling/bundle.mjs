// Bundles a page into the folder that serves it. The name of every served file carries a hash of
// its content, so browsers may keep it for ever; manifest.json says which files the page names.

import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The build of one page: its packages are in `source`, what is served goes to `target`. */
export class Bundling {
  #build;
  #source;
  #target;
  #metafiles = [];

  /** Takes esbuild's `build` from the page's own packages. */
  constructor(build, source, target) {
    this.#build = build;
    this.#source = fileURLToPath(source);
    this.#target = fileURLToPath(target);
  }

  /** Bundles entry points; returns a function that finds the file written for one of them. */
  async bundle(entryPoints, define = {}) {
    const { metafile } = await this.#build({
      absWorkingDir: this.#source,
      entryPoints,
      define,
      outdir: this.#target,
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
    this.#metafiles.push(metafile);
    const names = Object.keys(metafile.outputs).map((path) => basename(path));
    return (entry, ending) =>
      names.find((name) => name.startsWith(`${entry}-`) && name.endsWith(ending));
  }

  /** Writes what the page names, and the licences of all that was bundled. */
  async finish(manifest) {
    await mkdir(this.#target, { recursive: true });
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    await writeFile(join(this.#target, "manifest.json"), text);
    await writeFile(join(this.#target, "licences.txt"), (await this.#licences()).join("\n----\n\n"));
  }

  /** Collects the licences of the packages whose code went into the bundles. */
  async #licences() {
    const paths = this.#metafiles.flatMap((metafile) => Object.keys(metafile.inputs));
    const folders = new Set(
      paths.map((path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter(Boolean),
    );
    return Promise.all([...folders].sort().map((folder) => this.#licence(folder)));
  }

  async #licence(folder) {
    const place = join(this.#source, folder);
    const { name, version, license } = JSON.parse(
      await readFile(join(place, "package.json"), "utf8"),
    );
    const file = (await readdir(place)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? await readFile(join(place, file), "utf8") : "";
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  }
}
