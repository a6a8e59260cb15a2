export { main } from "./cli/program.ts";
