import assert from "node:assert/strict";
import { test } from "node:test";
import { eventParser } from "./sse.ts";

function parse(pieces: string[]): string[] {
  const events: string[] = [];
  const feed = eventParser((data) => events.push(data));
  for (const piece of pieces) feed(piece);
  return events;
}

test("an event is its data, whatever else it has", () => {
  assert.deepEqual(parse([": comment\n\nevent: x\nid: 1\ndata: a\nretry: 5\n\n"]), ["a"]);
  assert.deepEqual(parse(["data:a\n\ndata:  b\n\n"]), ["a", " b"]);
});

test("several data lines are joined by line ends", () => {
  assert.deepEqual(parse(["data: a\ndata: b\n\n"]), ["a\nb"]);
});

test("events without data and an unfinished event are not reported", () => {
  assert.deepEqual(parse(["event: ping\n\ndata: unfinished\n"]), []);
});

test("a stream can be cut anywhere, and lines can end with CR LF", () => {
  const text = "data: one\r\n\r\ndata: two\r\ndata: three\r\n\r\n";
  for (let at = 0; at <= text.length; at++) {
    assert.deepEqual(parse([text.slice(0, at), text.slice(at)]), ["one", "two\nthree"], `cut at ${at}`);
  }
  assert.deepEqual(parse([...text]), ["one", "two\nthree"]);
});
