import type { JsonSchema } from "./openapi.ts";

export interface Misfit {
  /** Where, as in `body.output_expires_after.seconds`. */
  at: string;
  what: string;
}

/**
 * Every reason why a value that fits `narrow` might not fit `wide`; both without references. Of a request `wide` is
 * what the server takes, of an answer it is what the client knows. Bounds count where both state them: OpenAI gives
 * most of its own in text only.
 */
export function misfits(wide: JsonSchema, narrow: JsonSchema, at: string): Misfit[] {
  const known = alternatives(wide);
  if (known.some(({ type }) => type === undefined)) return [];
  return alternatives(narrow).flatMap((given) => {
    const fitting = known.filter(
      ({ type }) => type === given.type || (type === "number" && given.type === "integer"),
    );
    if (fitting.length === 0) return [{ at, what: `may be ${given.type}` }];
    const found = fitting.map((one) => misfitsOfOne(one, given, at));
    return found.find((reasons) => reasons.length === 0) ?? found[0] ?? [];
  });
}

/** The schemas of one type each that a schema stands for. */
function alternatives(schema: JsonSchema): JsonSchema[] {
  const { anyOf, oneOf, allOf, nullable, ...rest } = schema;
  if (allOf !== undefined) return alternatives(Object.assign({}, rest, ...(allOf as JsonSchema[])));
  const listed = [...(anyOf ?? []), ...((oneOf as JsonSchema[] | undefined) ?? [])].flatMap(alternatives);
  if (nullable === true) listed.push({ type: "null" });
  if (anyOf !== undefined || oneOf !== undefined) return listed;
  const type = rest.type ?? (rest.properties === undefined ? undefined : "object");
  const types = Array.isArray(type) ? type : [type];
  return [...types.map((one) => ({ ...rest, type: one }) as JsonSchema), ...listed];
}

function misfitsOfOne(wide: JsonSchema, narrow: JsonSchema, at: string): Misfit[] {
  return [
    ...valueMisfits(wide, narrow, at),
    ...boundMisfits(wide, narrow, at),
    ...defaultMisfits(wide, narrow, at),
    ...(wide.items !== undefined && narrow.items !== undefined
      ? misfits(wide.items, narrow.items, `${at}[]`)
      : []),
    ...(wide.type === "object" ? memberMisfits(wide, narrow, at) : []),
  ];
}

function valueMisfits(wide: JsonSchema, narrow: JsonSchema, at: string): Misfit[] {
  const known = valuesOf(wide);
  if (known === null) return [];
  const given = valuesOf(narrow);
  if (given === null) return [{ at, what: `may be more than ${known.join(", ")}` }];
  return given.filter((value) => !known.includes(value)).map((value) => ({ at, what: `may be ${value}` }));
}

function valuesOf({ enum: listed, const: only }: JsonSchema): unknown[] | null {
  return listed ?? (only === undefined ? null : [only]);
}

function boundMisfits(wide: JsonSchema, narrow: JsonSchema, at: string): Misfit[] {
  const found: Misfit[] = [];
  for (const [bound, sign] of bounds) {
    const [most, given] = [wide[bound], narrow[bound]];
    if (typeof most !== "number" || typeof given !== "number") continue;
    if (sign * given > sign * most) found.push({ at, what: `has the ${bound} ${given}, not ${most}` });
  }
  return found;
}

/** Whoever leaves a value out counts on the same one. */
function defaultMisfits(wide: JsonSchema, narrow: JsonSchema, at: string): Misfit[] {
  if (wide.default === undefined || narrow.default === undefined || wide.default === narrow.default)
    return [];
  return [{ at, what: `has the default ${narrow.default}, not ${wide.default}` }];
}

const bounds: readonly (readonly [string, 1 | -1])[] = [
  ["maximum", 1],
  ["maxLength", 1],
  ["maxItems", 1],
  ["minimum", -1],
  ["minLength", -1],
  ["minItems", -1],
];

function memberMisfits(wide: JsonSchema, narrow: JsonSchema, at: string): Misfit[] {
  const { properties = {}, required = [], additionalProperties: further = true } = wide;
  const found: Misfit[] = required
    .filter((name) => !narrow.required?.includes(name))
    .map((name) => ({ at: `${at}.${name}`, what: "may be absent" }));
  for (const [name, given] of Object.entries(narrow.properties ?? {})) {
    const known = properties[name] ?? further;
    if (known === false) found.push({ at: `${at}.${name}`, what: "is unknown" });
    if (typeof known === "boolean") continue;
    // Null stands for what is absent, as OpenAI's own answers have it.
    const shown = required.includes(name) ? given : withoutNull(given);
    found.push(...misfits(known, shown, `${at}.${name}`));
  }
  if (typeof further === "object" && typeof narrow.additionalProperties === "object") {
    found.push(...misfits(further, narrow.additionalProperties, `${at}{}`));
  }
  return found;
}

function withoutNull(schema: JsonSchema): JsonSchema {
  return { anyOf: alternatives(schema).filter(({ type }) => type !== "null") };
}
