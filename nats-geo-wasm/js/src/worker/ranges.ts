// Ranges: the Range header of HTTP, for one range (RFC 9110, section 14).

export type RangeAnswer =
  /** No range that is understood: the whole. */
  | { readonly kind: "whole" }
  /** Bytes `start` to `end`, both included. */
  | { readonly kind: "part"; readonly start: number; readonly end: number }
  /** Nothing of it exists: 416. */
  | { readonly kind: "unsatisfiable" };

/**
 * Parses a Range header for a body with `size` bytes. The answer to several ranges, or to other units than bytes, is the
 * whole body.
 */
export function parseRange(header: string | null, size: number): RangeAnswer {
  const found = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? "");
  const [, first = "", last = ""] = found ?? [];
  if (first === "" && last === "") return { kind: "whole" };
  if (first === "") {
    // The last so many bytes; more than there are means all of them.
    const length = Math.min(Number(last), size);
    return length === 0 ? { kind: "unsatisfiable" } : { kind: "part", start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  // An end before the start makes the header invalid, which means that there is none.
  if (last !== "" && Number(last) < start) return { kind: "whole" };
  return start >= size ? { kind: "unsatisfiable" } : { kind: "part", start, end };
}
