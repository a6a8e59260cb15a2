import { createModelMatcher } from "./glob.ts";
import type { ModelsOption } from "./options.ts";

/** Which models an upstream takes, and what it calls them. */
export interface ModelNames {
  serves(model: string | null): boolean;
  /** The name of a model at the upstream; null: as in the request. Null itself where nothing is renamed. */
  readonly rename: ((model: string) => string | null) | null;
  /** Names of requests, without wildcards, that stand for this model of the upstream. */
  aliasesOf(model: string): string[];
}

/** @param models null: every model, under its own name */
export function createModelNames(models: ModelsOption | null | undefined): ModelNames {
  if (models === null || models === undefined || isList(models)) {
    return { serves: createModelMatcher(models), rename: null, aliasesOf: () => [] };
  }
  const entries = Object.entries(models);
  const rules = entries.map(([glob, name]) => ({ fits: createModelMatcher([glob]), name }));
  const rename = (model: string) => rules.find(({ fits }) => fits(model))?.name ?? null;
  return {
    serves: createModelMatcher(Object.keys(models)),
    rename: entries.some(([, name]) => name !== null) ? rename : null,
    aliasesOf: (model) =>
      entries.flatMap(([alias]) => (!/[*?]/.test(alias) && rename(alias) === model ? [alias] : [])),
  };
}

function isList(models: ModelsOption): models is readonly string[] {
  return Array.isArray(models);
}
