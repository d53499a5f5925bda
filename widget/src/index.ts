// The npm package: defines `<clawless-chat>` when it is imported, without the loader.

import { ClawlessChat as Base } from "./element.ts";
import { isPublicKey, mountLauncher } from "./launcher.ts";
import type { ClawlessApi } from "./types.ts";

/** The element that also creates its launcher. */
export class ClawlessChat extends Base {
  static override readonly observedAttributes = [...Base.observedAttributes, "data-key"];

  override connectedCallback(): void {
    // A framework may set the key later.
    if (!this.dataset.key && !this.shadowRoot) return;
    if (!isPublicKey(this.dataset.key)) return;
    if (!this.shadowRoot) mountLauncher(this);
    if (!Object.hasOwn(window, "Clawless")) window.Clawless = this;
    super.connectedCallback();
  }

  override attributeChangedCallback(name: string): void {
    if (name !== "data-key") super.attributeChangedCallback(name);
    else if (this.isConnected) this.connectedCallback();
  }
}

// A server that renders pages has no elements.
if (globalThis.customElements && !customElements.get("clawless-chat"))
  customElements.define("clawless-chat", ClawlessChat);

export type * from "./types.ts";

declare global {
  interface HTMLElementTagNameMap {
    "clawless-chat": ClawlessChat;
  }
  interface Window {
    /** The first widget of the page. */
    Clawless?: ClawlessApi;
  }
}
