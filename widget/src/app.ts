// The app that the loader loads. Defines the element, which upgrades what the loader has created.

import { ClawlessChat } from "./element.ts";

if (!customElements.get("clawless-chat")) customElements.define("clawless-chat", ClawlessChat);
