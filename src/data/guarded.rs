//! Calls into libraries which panic on some files and texts instead of refusing them: tokenizers, calamine.
//!
//! A panic in one is an error like any other: it is caught, and the hook that would print it is passed by on this thread. The
//! libraries share nothing with other calls that a panic could leave half done, but for caches that they then no longer use.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::Once,
};

thread_local! {
    /// Whether a guarded call is under way on this thread.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    /// Where in the library the last caught panic was.
    static LOCATION: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What `call` gives.
///
/// # Errors
/// Where it panics: in the library's words, with the line of its source.
pub(super) fn guarded<T>(library: &str, call: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| match GUARDED.get() {
            true => LOCATION.with_borrow_mut(|location| *location = location_of(info)),
            false => usual(info),
        }));
    });
    let before = GUARDED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(before);
    outcome.map_err(|panic| {
        let location = LOCATION.take();
        format!("the {library} library failed on it: {} ({location})", words(&*panic))
    })
}

/// File and line, without the folders that the library was built in.
fn location_of(info: &PanicHookInfo) -> String {
    info.location().map_or_else(String::new, |location| {
        let file = location.file().replace('\\', "/");
        let file = file.rsplit_once("/src/").map_or(file.as_str(), |(_, inner)| inner);
        format!("{file}, line {}", location.line())
    })
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_in_its_own_words() {
        assert_eq!(guarded("tokenizers", || 7), Ok(7));
        for call in
            [|| panic!("no {}", "way"), || panic!("no way"), || panic::panic_any(String::from("no way\nat all"))]
        {
            let error = guarded::<()>("tokenizers", call).unwrap_err();
            assert!(
                error.starts_with("the tokenizers library failed on it: no way (")
                    && error.contains("guarded.rs, line "),
                "{error}"
            );
        }
        assert!(guarded::<()>("tokenizers", || panic::panic_any(7)).unwrap_err().contains("a panic without a message"));
    }

    #[test]
    fn guarded_calls_can_be_nested_and_leave_other_panics_alone() {
        let inner = guarded("tokenizers", || {
            let inner = guarded::<()>("tokenizers", || panic!("inner")).unwrap_err();
            assert!(GUARDED.get(), "the outer call is still guarded");
            inner
        });
        assert!(inner.unwrap().contains("inner") && !GUARDED.get());
        let panic = panic::catch_unwind(|| std::thread::spawn(|| assert!(!GUARDED.get())).join()).unwrap();
        assert!(panic.is_ok(), "other threads are not guarded");
    }
}
