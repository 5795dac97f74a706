//! How bars look.

use indicatif::ProgressStyle;

/// How every bar looks. Templates are constants, so they parse; a bar of another look would do no harm.
pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─")
}
