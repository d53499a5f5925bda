// Which addresses of an answer may become links.

/**
 * The absolute form of an address if it is safe to follow: http, https, mailto or tel, and no user name, which disguises
 * the host. A relative address would be one of the site, which the model does not know.
 */
export function safeUrl(text: string): string | undefined {
  try {
    const url = new URL(text);
    return /^(https?|mailto|tel):$/.test(url.protocol) && !url.username && !url.password ? url.href : undefined;
  } catch {
    return undefined;
  }
}
