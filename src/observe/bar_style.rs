//! The style of progress bars.

use indicatif::ProgressStyle;

/// The style of all bars. Templates are constants, so they parse; the default style would do no harm.
pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─")
}
