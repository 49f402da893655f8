declare module "*.css";

/** The file names of Monaco's workers, filled in by the build. */
declare const WORKER_NAMES: { editor: string; json: string; graphql: string };
