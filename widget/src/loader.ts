// The script that a page includes: shows the launcher, and loads the app when a visitor is about to use it.

import { isPublicKey, mountLauncher } from "./launcher.ts";

/** `<clawless-chat>` before the browser upgrades it: calls of its methods are queued. */
type Stub = HTMLElement & { queue: [method: string, values: unknown[]][]; script: HTMLScriptElement } & Record<
    string,
    (...values: unknown[]) => void
  >;

interface Page {
  Clawless?: Stub | undefined;
  trustedTypes?: {
    createPolicy(
      name: string,
      rules: { createScriptURL(url: string): string },
    ): { createScriptURL(url: string): string };
  };
}

/** How long a visitor waits for the app before the launcher reports a failure, in milliseconds. */
const LOAD_TIMEOUT = 1e4;

const page = window as unknown as Page;
// A module is no current script.
const script = (document.currentScript ?? document.querySelector("script[type=module][data-key]")) as HTMLScriptElement;
const { dataset, src } = script;
/** The scripts of a page share what loads the app: it can be loaded once, as can a policy be created. */
const shared = document as unknown as { clawless?: () => Promise<unknown> };
let loading: Promise<void> | undefined;
let policy: { createScriptURL(url: string): string } | undefined;

/** Loads the app, once unless it fails. */
shared.clawless ??= () => {
  loading ||= new Promise<void>((resolve, reject) => {
    // The query keeps apps of other builds of this version out of the cache.
    const url = new URL(`../v${VERSION}/app.js?${APP_INTEGRITY}`, src).href;
    policy ||= page.trustedTypes?.createPolicy("clawless", { createScriptURL: () => url });
    const app = Object.assign(document.createElement("script"), {
      integrity: APP_INTEGRITY,
      crossOrigin: "",
      nonce: script.nonce,
      src: policy ? policy.createScriptURL(url) : url,
      onload: () => resolve(app.remove()),
      onerror: () => reject(app.remove()),
    });
    document.head.append(app);
    setTimeout(reject, LOAD_TIMEOUT);
  });
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
};

function start(): void {
  const host = document.createElement("clawless-chat") as HTMLElement as Stub;
  Object.assign(host.dataset, { api: new URL(src).origin }, dataset);
  host.script = script;
  // An element with this id is a property of the window too.
  if (!Object.hasOwn(page, "Clawless")) page.Clawless = host;
  const [button, failure] = mountLauncher(host);
  if (!customElements.get("clawless-chat")) prepare(host, button, failure);
  // A transformed or filtered body would move what is fixed.
  document.documentElement.append(host);
}

/** Gives the element its stubs. */
function prepare(host: Stub, button: HTMLElement, failure: HTMLElement): void {
  host.queue = [];
  const load = shared.clawless as () => Promise<unknown>;
  const silently = () => load().catch(() => {});

  /** Loads the app if the panel was open before a reload, for this visitor or for a user: the page names one. */
  const restore = () => {
    try {
      const name = `clawless:${dataset.key}`;
      const open = sessionStorage[name];
      const isUser = host.queue.some(([method]) => method === "setUser");
      if (innerWidth > 480 && open && (open !== name) === isUser) silently();
    } catch {
      // The browser blocks storage, or the app has started.
    }
  };
  for (const method of "open close toggle send on off setTheme setUser reset".split(" ")) {
    host[method] = (...values) => {
      host.queue.push([method, values]);
      if (method === "setUser") restore();
      if (!/open|toggle|send/.test(method)) return;
      failure.textContent = "";
      button.ariaBusy = "true";
      load().catch(() => {
        failure.textContent = dataset.unavailable || "Chat is not available.";
        button.ariaBusy = null;
      });
    };
  }
  host.destroy = () => {
    host.remove();
    script.remove();
    if (page.Clawless === host) delete page.Clawless;
  };
  button.onpointerenter = button.onfocus = silently;
  button.onclick = () => host.open?.();
  setTimeout(restore);
}

// A script may run again.
if (isPublicKey(dataset.key) && !document.querySelector(`clawless-chat[data-key="${dataset.key}"]`)) start();
