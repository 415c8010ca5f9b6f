// Health check of an image: ends with 0 if HEALTH_URL answers 200 within four seconds.
import { get } from "node:http";

const request = get(process.env.HEALTH_URL, { timeout: 4000 }, (answer) => {
  answer.resume();
  process.exitCode = answer.statusCode === 200 ? 0 : 1;
});
request.on("timeout", () => request.destroy(new Error("no answer in time")));
request.on("error", (error) => {
  console.error(`${process.env.HEALTH_URL}: ${error.message}`);
  process.exitCode = 1;
});
