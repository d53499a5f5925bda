// @ts-check
// The demo: adds the widget's script tag with the key in the page's fragment, as a site would.

const KEY = /^cl_pk_[0-9A-Za-z]{33}$/;
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const form = /** @type {HTMLFormElement} */ (element("key-form"));
const loaderUrl = new URL("/widget/v1/loader.js", location.href).href;

element("origin").textContent = location.origin;
const key = location.hash.slice(1);
if (KEY.test(key)) show(key);
else form.hidden = false;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = String(new FormData(form).get("key"));
});
// Another key is another widget: start over.
addEventListener("hashchange", () => location.reload());

/** @param {string} key */
function show(key) {
  element("configure").setAttribute("href", `/widget/configure#${key}`);
  const script = document.createElement("script");
  script.async = true;
  script.dataset.key = key;
  script.onerror = () => {
    element("problem").hidden = false;
    element("problem").textContent = "This build has no widget files: run `cargo xtask build` first.";
  };
  // Only this page's own loader is a trusted script.
  const policy = window.trustedTypes?.createPolicy("page", { createScriptURL: (url) => (url === loaderUrl ? url : "") });
  script.src = /** @type {string} */ (policy ? policy.createScriptURL(loaderUrl) : loaderUrl);
  document.head.append(script);
}
