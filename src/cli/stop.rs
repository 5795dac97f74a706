//! Ctrl-C and requests to end.

/// Calls `handler` at Ctrl-C, SIGTERM and SIGHUP, on a thread of its own. SIGHUP stays ignored if the command was started so, as `nohup`
/// does.
///
/// # Errors
/// The system refuses it.
pub fn on_signal(handler: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    let hangup = Hangup::now();
    ctrlc::set_handler(handler)?;
    hangup.restore();
    Ok(())
}

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
