// Monaco checks and completes in workers; here it learns where ours are: beside this script.

const file = (label: string) =>
  label === "json" || label === "graphql" ? WORKER_NAMES[label] : WORKER_NAMES.editor;

window.MonacoEnvironment = {
  getWorker: (_id: string, label: string) =>
    new Worker(new URL(file(label), import.meta.url), { type: "module", name: label }),
};
