"use strict";
{
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const store = {
    get(name) {
      try { return localStorage.getItem(name); } catch { return null; }
    },
    set(name, value) {
      try { localStorage.setItem(name, value); } catch { /* A browser may refuse it. */ }
    },
  };

  // The theme: the system's until the reader chooses.
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const theme = make("button", { type: "button" });
  const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `Use the ${isDark() ? "light" : "dark"} theme`); };
  if (store.get("theme")) root.dataset.theme = store.get("theme");
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    store.set("theme", root.dataset.theme);
    label();
  });
  label();
  document.querySelector(".actions").append(theme);

  // Copy buttons.
  for (const block of all(".code > *")) {
    const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      const shown = all("pre", block).find((pre) => pre.offsetParent !== null);
      await navigator.clipboard.writeText(shown.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.append(button);
  }

  // One language for all samples.
  const choose = (language) => {
    for (const input of all(".tabs input")) if (input.value === language) input.checked = true;
  };
  if (store.get("language")) choose(store.get("language"));
  document.addEventListener("change", ({ target }) => {
    if (!target.matches(".tabs input")) return;
    const before = target.getBoundingClientRect().top;
    choose(target.value);
    store.set("language", target.value);
    scrollBy({ top: target.getBoundingClientRect().top - before, behavior: "instant" });
  });

  // Search: words of titles, paths and descriptions.
  const nav = document.querySelector("nav");
  const search = make("input", { type: "search", placeholder: "Search  /" });
  search.setAttribute("aria-label", "Search the operations");
  const none = make("p", { textContent: "Nothing found.", hidden: true });
  none.setAttribute("role", "status");
  nav.querySelector(".close").after(search, none);
  const entries = all("nav li").map((item) => {
    const section = document.querySelector(item.firstElementChild.hash);
    const text = `${section.querySelector(".route").textContent} ${section.querySelector(".text").textContent}`;
    return { item, title: item.textContent.toLowerCase(), text: text.toLowerCase() };
  });
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const inTitles = entries.some(({ title }) => words.every((word) => title.includes(word)));
    let found = 0;
    for (const { item, title, text } of entries) {
      item.hidden = !words.every((word) => (inTitles ? title : text).includes(word));
      found += item.hidden ? 0 : 1;
    }
    for (const list of all("nav ul")) {
      list.previousElementSibling.hidden = list.hidden = all("li", list).every((item) => item.hidden);
    }
    none.hidden = found > 0;
  });
  search.addEventListener("keydown", (event) => {
    const first = entries.find(({ item }) => !item.hidden);
    if (event.key === "Enter" && first) location.hash = first.item.firstElementChild.hash;
    if (event.key === "Escape") { search.value = ""; search.dispatchEvent(new Event("input")); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, textarea")) return;
    event.preventDefault();
    search.focus();
  });

  // The operation that is being read.
  const links = new Map(all("nav li a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((changes) => {
    for (const { isIntersecting, target } of changes) {
      if (!isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      const link = links.get(target.id);
      link?.setAttribute("aria-current", "true");
      link?.scrollIntoView({ block: "nearest" });
    }
  }, { rootMargin: "-15% 0px -75% 0px" });
  for (const section of all(".op")) seen.observe(section);
}
