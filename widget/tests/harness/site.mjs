// The site that includes the widget, on an origin of its own.
import { createServer } from "node:http";

/** Starts a server for pages. `page(html, headers)` returns the address of a new page. */
export async function startSite() {
  const pages = new Map();
  const requests = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://site").pathname;
    requests.push(path);
    const page = pages.get(path);
    response.writeHead(page ? 200 : 404, { "content-type": "text/html; charset=utf-8", ...page?.headers });
    response.end(page?.html ?? "");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://localhost:${server.address().port}`;
  return {
    url,
    requests,
    page(html, { headers = {}, path = `/page-${pages.size + 1}` } = {}) {
      pages.set(path, { html, headers });
      return url + path;
    },
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A page of a shop, to see the widget in its surroundings. */
export function shopPage(tag, { lang = "en", dir = "ltr", head = "", body = "", dark = false } = {}) {
  const [background, text, card] = dark ? ["#101014", "#e9e9ee", "#1c1c22"] : ["#fbfbfd", "#1b1b20", "#ffffff"];
  return `<!doctype html>
<html lang="${lang}" dir="${dir}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Acme</title>
${head}
</head>
<body style="margin:0;background:${background};color:${text};font:16px/1.6 system-ui,sans-serif">
<main style="max-width:720px;margin:0 auto;padding:40px 24px">
<h1 style="font-size:30px">Spring collection</h1>
<p>Light jackets, linen shirts, and shoes for long walks.</p>
<p><button id="page-button">Add to cart</button></p>
${Array.from({ length: 5 }, (_, at) => `<p style="background:${card};padding:24px;border-radius:12px">Item ${at + 1}</p>`).join("\n")}
${body}
</main>
${tag}
</body>
</html>`;
}
