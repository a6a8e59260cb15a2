import { describe, expect, it } from "vitest";
import { counted, escapeControls } from "./terminal.ts";

describe("escapeControls()", () => {
  it("makes what could move the cursor or forge a line visible", () => {
    expect(escapeControls("a\u001b[2Jb\r\nc\u0000\u009b1m")).toBe("a\\x1b[2Jb\\x0d\\x0ac\\x00\\x9b1m");
  });

  it("makes what turns the direction of writing round visible", () => {
    expect(escapeControls("exe\u202egpj")).toBe("exe\\u202egpj");
  });

  it("leaves text in any script alone", () => {
    expect(escapeControls("Grüße, 你好 👋 it's fine")).toBe("Grüße, 你好 👋 it's fine");
  });
});

describe("counted()", () => {
  it("sets the thousands apart and knows the plural", () => {
    expect([counted(1, "line"), counted(50_000, "line")]).toEqual(["1 line", "50,000 lines"]);
  });
});
