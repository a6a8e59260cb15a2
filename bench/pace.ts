import { scenarios } from "./pace/scenarios.ts";
import { simulate } from "./pace/simulate.ts";

for (const scenario of scenarios()) {
  const { figures, reached } = scenario.judge(simulate(scenario, 1));
  console.log(
    `${reached ? "reached" : "MISSED "}  ${scenario.name}\n         ${scenario.reach}\n         ${figures}`,
  );
}
