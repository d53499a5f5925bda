// Server-sent events.

/**
 * Returns a function that takes pieces of an event stream, cut anywhere, and calls `onData` with the data of each event.
 * Comments and other fields are ignored.
 */
export function eventParser(onData: (data: string) => void): (piece: string) => void {
  let rest = "";
  let data: string[] = [];
  return (piece) => {
    const lines = (rest + piece).split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
      else if (!line && data.length > 0) {
        onData(data.join("\n"));
        data = [];
      }
    }
  };
}
