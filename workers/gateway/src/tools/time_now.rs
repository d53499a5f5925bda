//! `time_now`: the current time.

use clawless_core::civil::Civil;
use clawless_core::time::Millis;
use clawless_core::{Clock, Scope};
use garde::Validate;
use serde::{Deserialize, Serialize};

use super::tool::{Tool, ToolContext, ToolError, json};
use crate::platform::Platform;

/// The tool.
#[derive(Debug)]
pub(super) struct TimeNow;

/// The arguments of `time_now`.
#[derive(Debug, Deserialize, Validate)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// Minutes to add for local time, such as 120 for Central European Summer Time. 0 by default.
    #[garde(inner(range(min = -840, max = 840)))]
    #[cfg_attr(test, schemars(range(min = -840, max = 840)))]
    utc_offset_minutes: Option<i32>,
}

#[derive(Serialize)]
struct CurrentTime {
    utc: String,
    weekday: &'static str,
    unix_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<String>,
}

impl Tool for TimeNow {
    const NAME: &'static str = "time_now";
    const DESCRIPTION: &'static str = "Gives the current date and time in UTC, and the weekday. \
        Use it whenever an answer depends on what time it is.";
    const PERMISSION: Scope = Scope::Tools;
    type Arguments = Arguments;

    async fn run<P: Platform>(
        context: &ToolContext<'_, P>,
        arguments: Arguments,
    ) -> Result<String, ToolError> {
        let now = context.platform.time().now();
        let local = arguments.utc_offset_minutes.map(|minutes| {
            let span = Millis::from_secs(u64::from(minutes.unsigned_abs()) * 60);
            let shifted = if minutes < 0 {
                now.minus(span)
            } else {
                now.plus(span)
            };
            let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
            let civil = Civil::from_timestamp(shifted);
            format!("{civil}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        });
        json(&CurrentTime {
            utc: format!("{}Z", Civil::from_timestamp(now)),
            weekday: Civil::from_timestamp(now).weekday(),
            unix_seconds: now.as_secs(),
            local,
        })
    }
}
