// For tests of what is built on Nerif: a model server that answers by rule, and stores that live in memory. The
// contract suites of the ports stay in test/contracts of the repository: they are vitest code, and a package that
// brings them would bring a test runner to everyone who installs it.
export { createMemoryFileStore } from "./files/memory.ts";
export { createMemoryJournal, type MemoryJournal, type MemoryJournalOptions } from "./journal/memory.ts";
export {
  createSimulator,
  type Served,
  type Simulator,
  type SimulatorOptions,
} from "./upstreams/simulator/simulator.ts";
