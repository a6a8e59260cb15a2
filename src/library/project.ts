/** Whose objects a library process sees: those that were made without a key. */
export const project = "default";
