//! The checks of this program itself, as steps.

use crate::{layout::Layout, progress::Progress, tidy};

use super::{report::Report, tally::Tally};

/// The house's conventions; after the release build, since that is looked at too.
pub(super) fn tidy(layout: &Layout, report: &Report, progress: &Progress) {
    report.step("tidy", || {
        tidy::run(layout, progress).map(|()| Tally::default())
    });
}
