// Values that the build inserts, and modules that it turns into text.

/** The version of this release, such as `1.0.0`. */
declare const VERSION: string;

/** The integrity hash of `app.js`, known only to the loader. */
declare const APP_INTEGRITY: string;

declare module "*.css" {
  const text: string;
  export default text;
}
