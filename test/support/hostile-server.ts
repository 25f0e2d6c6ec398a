/** What answers at a region's address is no PostgreSQL, or one that nobody would want. */
import type net from "node:net";
import {
  AUTHENTICATED,
  cString,
  int16,
  int32,
  message,
  MessageCutter,
  readyForQuery,
  rowsOf,
} from "../../src/engine/border/protocol/wire.ts";

export type Pretence = {
  what: string;
  handle: (socket: net.Socket) => void;
};

const CHUNK = Buffer.alloc(256 * 1024, "x");

/** Sends without end, 100 MB a second where so much is taken: this program shares a process with the one under attack. */
function pour(socket: net.Socket, piece: Buffer): void {
  const timer = setInterval(() => {
    for (let sent = 0; sent < 1024 * 1024 && !socket.writableNeedDrain; sent += piece.length) socket.write(piece);
  }, 10);
  socket.on("close", () => clearInterval(timer));
}

/** Lets everybody in, and then does with each message what is given. */
function afterSignIn(onMessage: (socket: net.Socket, type: string) => void) {
  return (socket: net.Socket) => {
    let cutter = new MessageCutter(64 * 1024 * 1024, 0);
    let isIn = false;
    socket.on("data", (chunk: Buffer) => {
      for (const { type, body } of cutter.messages(chunk)) {
        if (isIn) {
          onMessage(socket, String.fromCharCode(type));
          continue;
        }
        if (body.readInt32BE(0) === 80_877_103) {
          socket.write("N");
          continue;
        }
        isIn = true;
        cutter = new MessageCutter(64 * 1024 * 1024);
        socket.write(Buffer.concat([AUTHENTICATED, message("K", int32(1), int32(1)), readyForQuery()]));
      }
    });
  };
}

const NOTICE = message("N", Buffer.from("SNOTICE\0C00000\0"), cString(`M${"x".repeat(8_000)}`), Buffer.from([0]));
const NOTIFICATION = message("A", int32(1), "tenantry_nudge", "1 catalog");
const [ROW] = [message("D", int16(1), int32(8_000), Buffer.alloc(8_000, "x"))];
const DESCRIPTION = message(
  "T",
  int16(1),
  cString("timeline"),
  int32(0),
  int16(0),
  int32(25),
  int16(-1),
  int32(-1),
  int16(0),
);
const manyOf = (piece: Buffer) => Buffer.concat(Array.from({ length: 30 }, () => piece));
/** A message of nearly 4 GB begins. */
const HUGE = Buffer.from([0x44, 0xff, 0xff, 0xff, 0xf0]);

export const PRETENCES: readonly Pretence[] = [
  { what: "says nothing", handle: () => undefined },
  {
    what: "speaks another protocol",
    handle: (socket) => void socket.write("220 mail.example.com ESMTP\r\n".repeat(1_000)),
  },
  { what: "sends bytes without end", handle: (socket) => pour(socket, CHUNK) },
  {
    what: "begins a message of gigabytes before anybody has signed in",
    handle: (socket) => {
      socket.write(HUGE);
      pour(socket, CHUNK);
    },
  },
  { what: "sends notices without end before anybody has signed in", handle: (socket) => pour(socket, manyOf(NOTICE)) },
  {
    what: "asks for a proof that takes hours to make",
    handle: (socket) => {
      let asked = 0;
      socket.on("data", (chunk: Buffer) => {
        asked += 1;
        if (asked === 1) socket.write(message("R", int32(10), cString("SCRAM-SHA-256"), Buffer.from([0])));
        const nonce = /r=([^,\0]+)/.exec(chunk.toString("latin1"))?.[1];
        if (asked === 2) socket.write(message("R", int32(11), Buffer.from(`r=${nonce}x,s=c2FsdA==,i=2000000000`)));
      });
    },
  },
  { what: "lets everybody in and says nothing", handle: afterSignIn(() => undefined) },
  {
    what: "answers with a message of gigabytes",
    handle: afterSignIn((socket, type) => {
      if (type !== "Q" && type !== "S") return;
      socket.write(HUGE);
      pour(socket, CHUNK);
    }),
  },
  { what: "answers with notices without end", handle: afterSignIn((socket) => pour(socket, manyOf(NOTICE))) },
  {
    what: "answers with notifications without end",
    handle: afterSignIn((socket) => pour(socket, manyOf(NOTIFICATION))),
  },
  {
    what: "answers with rows without end",
    handle: afterSignIn((socket, type) => {
      if (type !== "Q" && type !== "S") return;
      socket.write(DESCRIPTION);
      pour(socket, manyOf(ROW));
    }),
  },
  {
    what: "answers everything with rows that nobody asked for",
    handle: afterSignIn((socket, type) => {
      if (type !== "Q" && type !== "S") return;
      const columns = [
        "timeline",
        "current",
        "slots",
        "history",
        "flushed",
        "version_number",
        "__proto__",
        "constructor",
      ];
      socket.write(Buffer.concat([rowsOf(columns, [columns.map(() => '{"toString":null}')]), readyForQuery()]));
    }),
  },
  {
    what: "answers what was not asked",
    handle: afterSignIn((socket) => {
      for (const type of [
        "2",
        "3",
        "C",
        "D",
        "G",
        "H",
        "I",
        "T",
        "V",
        "W",
        "Z",
        "c",
        "d",
        "n",
        "s",
        "t",
        "v",
        "1",
        "E",
      ])
        socket.write(message(type, int16(0), Buffer.alloc(20)));
    }),
  },
];
