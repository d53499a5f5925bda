// The script that a page includes: shows the launcher, and loads the app when a visitor is about to use it.

import { isPublicKey, mountLauncher } from "./launcher.ts";

/** `<clawless-chat>` before the browser upgrades it: calls of its methods are queued. */
type Stub = HTMLElement & { queue: [method: string, values: unknown[]][]; load(): Promise<void> } & Record<
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
const script = document.currentScript as HTMLScriptElement;
const { dataset, src } = script;
let loading: Promise<void> | undefined;
let policy: { createScriptURL(url: string): string } | undefined;

/** Loads the app, once unless it fails. */
function load(): Promise<void> {
  loading ||= new Promise<void>((resolve, reject) => {
    const url = new URL(`../v${VERSION}/app.js`, src).href;
    // A page may allow each name of a policy once.
    policy ||= page.trustedTypes?.createPolicy("clawless", { createScriptURL: () => url });
    document.head.append(
      Object.assign(document.createElement("script"), {
        integrity: APP_INTEGRITY,
        crossOrigin: "",
        nonce: script.nonce,
        src: policy ? policy.createScriptURL(url) : url,
        onload: () => resolve(),
        onerror: reject,
      }),
    );
    setTimeout(reject, LOAD_TIMEOUT);
  });
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}

function start(): void {
  const { key } = dataset;
  if (!isPublicKey(key)) return;
  const host = document.createElement("clawless-chat") as HTMLElement as Stub;
  Object.assign(host.dataset, { api: new URL(src).origin }, dataset);
  page.Clawless ||= host;
  // Another script tag may have loaded the app already.
  if (!customElements.get("clawless-chat")) prepare(host);
  document.body.append(host);
}

/** Shows the launcher and gives the element its stubs. */
function prepare(host: Stub): void {
  const [button, failure] = mountLauncher(host);
  host.queue = [];
  host.load = load;
  // Several script tags load the app once.
  const preload = () => (page.Clawless || host).load();
  const silently = () => preload().catch(() => {});

  const report = (text: string) => {
    failure.textContent = text;
    button.ariaBusy = null;
  };
  for (const method of "open close toggle send on off setTheme setUser reset".split(" ")) {
    host[method] = (...values) => {
      host.queue.push([method, values]);
      if (!/open|toggle|send/.test(method)) return;
      report("");
      button.ariaBusy = "true";
      preload().then(
        () => report(""),
        () => report(dataset.unavailable || "Chat is not available."),
      );
    };
  }
  host.destroy = () => {
    host.remove();
    if (page.Clawless === host) delete page.Clawless;
  };
  button.onpointerenter = button.onfocus = silently;
  button.onclick = () => host.open?.();
  try {
    // The panel was open before a reload.
    if (innerWidth > 480 && sessionStorage[`clawless:${dataset.key}`]) silently();
  } catch {
    // The browser blocks storage.
  }
}

if (document.body) start();
else addEventListener("DOMContentLoaded", start);
