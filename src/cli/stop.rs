//! Ctrl-C and requests to end.

/// Calls `handler` at Ctrl-C, SIGTERM and SIGHUP, on a thread of its own. Those that the command was told to ignore stay ignored: `nohup` does so
/// with SIGHUP, a shell with Ctrl-C for a command in the background of a script.
///
/// # Errors
/// The system refuses it.
pub fn on_signal(handler: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    let ignored = Ignored::now();
    ctrlc::set_handler(handler)?;
    ignored.restore();
    Ok(())
}

/// The signals that are ignored.
#[cfg(unix)]
struct Ignored(Vec<libc::c_int>);

#[cfg(unix)]
impl Ignored {
    fn now() -> Self {
        let is_ignored = |signal: &libc::c_int| {
            #[expect(unsafe_code, reason = "the standard library does not know signals; nothing is changed here")]
            let action = unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                libc::sigaction(*signal, std::ptr::null(), &raw mut action);
                action
            };
            action.sa_sigaction == libc::SIG_IGN
        };
        Self([libc::SIGHUP, libc::SIGINT, libc::SIGTERM].into_iter().filter(is_ignored).collect())
    }

    fn restore(self) {
        for signal in self.0 {
            #[expect(unsafe_code, reason = "the standard library does not know signals; ignoring one runs no code")]
            let _ = unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    }
}

/// Other systems have no such setting.
#[cfg(not(unix))]
struct Ignored;

#[cfg(not(unix))]
impl Ignored {
    fn now() -> Self {
        Self
    }

    fn restore(self) {}
}
