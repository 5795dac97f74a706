//! Ctrl-C and requests to end.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::output;

type Handler = Box<dyn FnMut() + Send>;

/// What is called at a signal.
static HANDLER: Mutex<Option<Handler>> = Mutex::new(None);

/// Calls `handler` at Ctrl-C, SIGTERM and SIGHUP, on a thread of its own, and no longer the one that was given before. SIGHUP stays ignored if
/// the command was started so, as `nohup` does.
///
/// # Errors
/// The system refuses it. Nothing is called then, and the next call tries again.
pub fn on_signal(handler: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    let handlers = || HANDLER.lock().unwrap_or_else(PoisonError::into_inner);
    // The system's handler is set once, and calls the present one.
    if handlers().replace(Box::new(handler)).is_some() {
        return Ok(());
    }
    let hangup = Hangup::now();
    let set = ctrlc::set_handler(move || {
        if let Some(handler) = handlers().as_mut() {
            handler();
        }
    });
    if set.is_err() {
        *handlers() = None;
    }
    hangup.restore();
    set
}

/// Until another handler is set, a signal ends the command at once, with the exit code of an interrupted one, and this is said, for example
/// `stopped: nothing was trained`. Nothing may be lost by it: rows are only read.
///
/// # Errors
/// The system refuses it.
pub fn end_at_once(said: &'static str) -> Result<(), ctrlc::Error> {
    on_signal(move || {
        // It begins a line of its own, below a progress bar.
        output::error(&format!("\n{said}"));
        std::process::exit(130);
    })
}

/// Set by SIGUSR1.
static CHECKPOINT: AtomicBool = AtomicBool::new(false);

/// Whether the process was asked by SIGUSR1, after [`catch_checkpoint_signal`], to write a checkpoint and go.
pub fn checkpoint_requested() -> bool {
    CHECKPOINT.load(Ordering::Relaxed)
}

/// From now on SIGUSR1 is a request to write a checkpoint and go: clusters can send it before the time of a job is up. Otherwise it would end the
/// process. However often it comes, it is one request.
#[cfg(unix)]
pub fn catch_checkpoint_signal() {
    extern "C" fn note(_: libc::c_int) {
        CHECKPOINT.store(true, Ordering::Relaxed);
    }
    #[expect(unsafe_code, reason = "the standard library does not know signals; the handler only sets a flag")]
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note as *const () as libc::sighandler_t;
        // Reads and writes go on.
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
    }
}

/// Other systems have no such signal.
#[cfg(not(unix))]
pub fn catch_checkpoint_signal() {}

/// Whether SIGHUP is ignored.
struct Hangup(bool);

#[cfg(unix)]
impl Hangup {
    fn now() -> Self {
        #[expect(unsafe_code, reason = "the standard library does not know signals; nothing is changed here")]
        let action = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action);
            action
        };
        Self(action.sa_sigaction == libc::SIG_IGN)
    }

    fn restore(self) {
        if self.0 {
            #[expect(unsafe_code, reason = "the standard library does not know signals; ignoring one runs no code")]
            let _ = unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        }
    }
}

/// Other systems have no such signal.
#[cfg(not(unix))]
impl Hangup {
    fn now() -> Self {
        Self(false)
    }

    fn restore(self) {}
}
