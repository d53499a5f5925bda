// Every state: axe finds nothing, and a screenshot is written to tests/screenshots (ignored by git).
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { openPage, startBrowser } from "./harness/browser.mjs";
import { reply } from "./harness/server.mjs";
import { shopPage } from "./harness/site.mjs";

const folder = new URL("screenshots/", import.meta.url).pathname;
const SETTINGS = {
  title: "Acme",
  welcome: "Hi there 👋 How can we help you today?",
  starter_prompts: ["Where is my order?", "How do I return an item?", "Which shoes are waterproof?"],
};
const MARKDOWN = `You have **30 days** to return an item. It takes three steps:

1. Open [your orders](https://example.com/orders) and choose the item.
2. Print the label, or show the code in the shop.
3. Hand in the parcel.

| Method | Refund |
|---|---|
| Parcel | 5 days |
| Shop | at once |

To check the state from your terminal:

\`\`\`sh
curl https://example.com/returns/4711
\`\`\`
`;

let widget;
let context;
before(async () => {
  await mkdir(folder, { recursive: true });
  widget = await startBrowser();
});
after(() => widget.stop());
beforeEach(() => {
  widget.server.reset();
  widget.server.state.settings = SETTINGS;
});

/** A page in a browser of these options. */
async function visit({ attributes = "", page = {}, ...options } = {}) {
  await context?.close();
  context = await widget.browser.newContext({
    viewport: { width: 900, height: 800 },
    deviceScaleFactor: 2,
    ...options,
  });
  const opened = await openPage(context, widget.site.page(shopPage(widget.tag(attributes), page)));
  await opened.launcher.waitFor();
  return opened;
}

/** Checks accessibility and writes a screenshot. */
async function check(page, name) {
  // Animations change contrasts.
  await page.evaluate(() =>
    Promise.all(
      document
        .querySelector("clawless-chat")
        .shadowRoot.getAnimations()
        .filter((one) => one.effect.getTiming().iterations === 1)
        .map((one) => one.finished),
    ),
  );
  await page.waitForTimeout(250);
  await page.screenshot({ path: `${folder}${name}.png` });
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`,
  );
  assert.deepEqual(found, []);
}

async function answered(page) {
  widget.server.state.script.push(reply(MARKDOWN.match(/[\s\S]{1,20}/g)));
  await page.chat("How do I return an item?");
  await page.answered("You have");
}

async function streaming(page) {
  widget.server.state.script.push(reply(MARKDOWN.match(/[\s\S]{1,12}/g), { gap: 400 }));
  await page.chat("How do I return an item?");
  await page.answers.last().getByText("Open").waitFor();
}

describe("axe finds nothing in the state", () => {
  test("closed", async () => check(await visit(), "closed"));

  test("open", async () => {
    const page = await visit();
    await page.chat();
    await page.panel.getByText("Where is my order?").waitFor();
    await check(page, "open");
  });

  test("waiting", async () => {
    const page = await visit();
    widget.server.state.script.push(reply("x", { before: 4000 }));
    await page.chat("How do I return an item?");
    await page.answers.last().waitFor();
    await check(page, "waiting");
  });

  test("streaming", async () => {
    const page = await visit();
    await streaming(page);
    await check(page, "streaming");
  });

  test("answered", async () => {
    const page = await visit();
    await answered(page);
    await check(page, "answered");
  });

  test("error", async () => {
    const page = await visit();
    widget.server.state.script.push(
      reply(["You have **30 days** to return an item. It takes thr"], { error: "upstream_error" }),
    );
    await page.chat("How do I return an item?");
    await page.answers.last().getByText("interrupted").waitFor();
    await check(page, "error");
  });

  test("offline", async () => {
    const page = await visit();
    await answered(page);
    await context.setOffline(true);
    await page.chat("Can I send it in the same box?");
    await page.notice.getByText("offline").waitFor();
    await check(page, "offline");
  });

  test("deleting", async () => {
    const page = await visit();
    await page.chat("hi");
    await page.answered("How can I help?");
    await page.panel.locator("footer > .dim").getByText("Delete my data").click();
    await check(page, "deleting");
  });

  test("unavailable", async () => {
    const page = await visit();
    widget.server.state.isDown = true;
    await page.launcher.click();
    await page.locator("clawless-chat .failure").getByText("not available").waitFor();
    await check(page, "unavailable");
  });

  for (const theme of ["light", "dark", "paper", "midnight"]) {
    test(`theme ${theme}`, async () => {
      const page = await visit({ attributes: `data-theme="${theme}"`, page: { dark: /dark|mid/.test(theme) } });
      await answered(page);
      await check(page, `theme-${theme}`);
    });
  }

  test("dark, open, by the system's setting", async () => {
    const page = await visit({ colorScheme: "dark", page: { dark: true } });
    await page.chat();
    await page.panel.getByText("Where is my order?").waitFor();
    await check(page, "dark-open");
  });

  test("dark, streaming", async () => {
    const page = await visit({ colorScheme: "dark", page: { dark: true } });
    await streaming(page);
    await check(page, "dark-streaming");
  });

  test("dark, error", async () => {
    const page = await visit({ colorScheme: "dark", page: { dark: true } });
    widget.server.state.script.push(reply(["Half"], { error: "upstream_error" }));
    await page.chat("How do I return an item?");
    await page.answers.last().getByText("interrupted").waitFor();
    await check(page, "dark-error");
  });

  test("right to left", async () => {
    widget.server.state.settings = { title: "أكمي", starter_prompts: ["أين طلبي؟"] };
    const page = await visit({ page: { lang: "ar", dir: "rtl" } });
    widget.server.state.script.push(
      reply("لديك **30 يومًا** لإرجاع المنتج:\n\n1. افتح طلباتك.\n2. اطبع الملصق.\n\n`order 4711`"),
    );
    await page.chat("كيف أعيد منتجًا؟");
    await page.answered("لديك");
    await check(page, "rtl");
  });

  test("mobile", async () => {
    const page = await visit({ viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true });
    await answered(page);
    await check(page, "mobile");
  });

  test("mobile of 320 px, dark", async () => {
    const page = await visit({
      viewport: { width: 320, height: 600 },
      isMobile: true,
      hasTouch: true,
      colorScheme: "dark",
    });
    await page.chat();
    await page.panel.getByText("Where is my order?").waitFor();
    await check(page, "mobile-320");
  });

  test("forced colours", async () => {
    const page = await visit({ forcedColors: "active" });
    await answered(page);
    await check(page, "forced-colours");
    await page.keyboard.press("Escape");
    await check(page, "forced-colours-closed");
  });

  test("custom accent", async () => {
    const page = await visit({ attributes: 'data-accent="#ffd400"' });
    await answered(page);
    await check(page, "accent-yellow");
  });
});

test("every colour of a theme reaches the panel", async () => {
  const page = await visit();
  await answered(page);
  const names = ["background", "surface", "text", "dim", "line", "accent", "on_accent"];
  const colours = Object.fromEntries(names.map((name, at) => [name, `#01020${at}`]));
  const missing = await page.evaluate((colours) => {
    const host = document.querySelector("clawless-chat");
    host.setTheme({ preset: "light", colours });
    const used = [...host.shadowRoot.querySelectorAll("*")].flatMap((element) => {
      const { color, backgroundColor, borderBottomColor, borderBottomStyle } = getComputedStyle(element);
      return [color, backgroundColor, borderBottomStyle === "solid" && borderBottomColor];
    });
    return Object.keys(colours).filter((_, at) => !used.includes(`rgb(1, 2, ${at})`));
  }, colours);
  assert.deepEqual(missing, []);
});

test("every accent has readable text on it", async () => {
  const page = await visit();
  await answered(page);
  const ratios = await page.evaluate(() => {
    const host = document.querySelector("clawless-chat");
    const bubble = host.shadowRoot.querySelector(".user .body");
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const luminance = (colour) => {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const found = [];
    for (let red = 0; red < 256; red += 51) {
      for (let green = 0; green < 256; green += 51) {
        for (let blue = 0; blue < 256; blue += 51) {
          const accent = `#${[red, green, blue].map((value) => value.toString(16).padStart(2, "0")).join("")}`;
          host.setTheme({ preset: "light", colours: { accent } });
          const style = getComputedStyle(bubble);
          const [low, high] = [luminance(style.color), luminance(style.backgroundColor)].sort((a, b) => a - b);
          found.push({ accent, ratio: (high + 0.05) / (low + 0.05) });
        }
      }
    }
    return found;
  });
  assert.equal(ratios.length, 216);
  assert.deepEqual(
    ratios.filter(({ ratio }) => ratio < 4.5),
    [],
  );
});
