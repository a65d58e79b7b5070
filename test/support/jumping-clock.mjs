// Loaded before the agent (`node --import`): the wall clock jumps, as an operator or a time server makes it jump. What
// only grows (`performance.now`, timers) does not, as on a real host.
// WALL_CLOCK_MS holds how far the clock is off, from the start and then after each SIGUSR2, separated by commas.
const offsets = (process.env.WALL_CLOCK_MS ?? "0").split(",").map(Number);
const RealDate = Date;
let at = 0;

globalThis.Date = class JumpingDate extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [JumpingDate.now()] : given));
  }
  static now() {
    return RealDate.now() + offsets[at];
  }
};

process.on("SIGUSR2", () => {
  at += 1;
  const line = { level: "info", message: "the wall clock jumped", nth: at, offsetMs: offsets[at] };
  process.stdout.write(`${JSON.stringify(line)}\n`);
});
