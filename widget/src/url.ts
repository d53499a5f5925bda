// Which addresses of an answer may become links.

/**
 * The absolute form of an address if it is safe to follow: http, https, mailto or tel, and no user name, which disguises
 * the host. Relative addresses are those of the page.
 */
export function safeUrl(text: string, base: string): string | undefined {
  try {
    const url = new URL(text, base);
    return /^(https?|mailto|tel):$/.test(url.protocol) && !url.username && !url.password ? url.href : undefined;
  } catch {
    return undefined;
  }
}
