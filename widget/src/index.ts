// The npm package: defines `<clawless-chat>` when it is imported, without the loader.

import { ClawlessChat as Base } from "./element.ts";
import { isPublicKey, mountLauncher } from "./launcher.ts";
import type { ClawlessApi } from "./types.ts";

/** The element that also creates its launcher. */
export class ClawlessChat extends Base {
  override connectedCallback(): void {
    if (!isPublicKey(this.dataset.key)) return;
    if (!this.shadowRoot) mountLauncher(this);
    super.connectedCallback();
  }
}

if (!customElements.get("clawless-chat")) customElements.define("clawless-chat", ClawlessChat);

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
