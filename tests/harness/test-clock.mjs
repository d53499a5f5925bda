// Wraps the gateway's bundle in tests: the clock runs ahead, and a test can deliver the
// ledger's alarm. The module that includes it must set `aheadMs` first.
import * as bundle from "./index.js";

const { aheadMs, Date: RealDate } = globalThis;

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length > 0) super(...parts);
    else super(RealDate.now() + aheadMs);
  }

  static now() {
    return RealDate.now() + aheadMs;
  }
};

export class TenantLedger extends bundle.TenantLedger {
  constructor(state, env) {
    keepAlarmsReal(state.storage);
    super(state, env);
  }

  async fetch(request) {
    if (new URL(request.url).hostname !== "alarm") return super.fetch(request);
    await Promise.all([super.alarm(), super.alarm()]);
    return new Response();
  }
}

/** Converts alarm times: the runtime's alarms use the machine's clock. */
function keepAlarmsReal(storage) {
  const prototype = Object.getPrototypeOf(storage);
  const { setAlarm } = prototype;
  if (setAlarm.isReal) return;
  prototype.setAlarm = function (time, ...options) {
    return setAlarm.call(this, Number(time) - aheadMs, ...options);
  };
  prototype.setAlarm.isReal = true;
}

export default bundle.default;
