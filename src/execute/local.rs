//! The executor on this machine: a worker process for each slot, started when it is needed.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    DeviceChoice, ExecuteError,
    executor::{Executor, News, Slot},
    protocol::{Order, WorkerJob, encode, receive},
};
use crate::event::FailureKind;

/// Number of lines of a worker's standard error that are kept.
const KEPT_LINES: usize = 8;

/// Worker processes by slot.
pub(super) struct LocalWorkers {
    program: PathBuf,
    slots: Vec<(Slot, Option<Worker>)>,
    sender: Sender<(usize, u64, News)>,
    receiver: Receiver<(usize, u64, News)>,
    started: u64,
}

struct Worker {
    number: u64,
    child: Child,
    orders: Option<ChildStdin>,
    last_lines: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<JoinHandle<()>>,
    kills_before: u64,
}

impl LocalWorkers {
    /// For these slots, without a process yet. `program` is taper.
    pub fn new(program: PathBuf, slots: &[Slot]) -> Self {
        let (sender, receiver) = mpsc::channel();
        let slots = slots.iter().map(|slot| (slot.clone(), None)).collect();
        Self { program, slots, sender, receiver, started: 0 }
    }

    /// The worker of a slot, which is started if there is none.
    fn worker(&mut self, slot: usize) -> Result<&mut Worker, ExecuteError> {
        let (program, started, sender) = (&self.program, &mut self.started, &self.sender);
        let (of, worker) = &mut self.slots[slot];
        match worker {
            Some(worker) => Ok(worker),
            None => {
                *started += 1;
                let new = Worker::start(program, of, slot, *started, sender).map_err(|e| {
                    ExecuteError::Worker(format!("a worker process cannot be started ({}): {e}", program.display()))
                })?;
                Ok(worker.insert(new))
            }
        }
    }
}

impl Executor for LocalWorkers {
    fn slots(&self) -> usize {
        self.slots.len()
    }

    fn device(&self, slot: usize) -> DeviceChoice {
        self.slots[slot].0.device
    }

    fn submit(&mut self, slot: usize, job: WorkerJob) -> Result<(), ExecuteError> {
        let worker = self.worker(slot)?;
        worker.kills_before = kills_for_memory();
        worker.send(&Order::Begin(Box::new(job)))
    }

    fn answer(&mut self, slot: usize, order: &Order) -> Result<(), ExecuteError> {
        // Without a worker, no run waits for an answer.
        self.slots[slot].1.as_mut().map_or(Ok(()), |worker| worker.send(order))
    }

    fn poll(&mut self, within: Duration) -> Option<(usize, News)> {
        loop {
            match self.receiver.recv_timeout(within) {
                Ok((slot, number, news)) => {
                    // Otherwise it is a late message of a worker that was cancelled.
                    if self.slots[slot].1.as_ref().is_some_and(|worker| worker.number == number) {
                        return Some((slot, news));
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn cancel(&mut self, slot: usize) -> (FailureKind, String) {
        match self.slots[slot].1.take() {
            Some(worker) => worker.end(),
            None => (FailureKind::Crashed, "its worker process has exited".into()),
        }
    }

    fn release(&mut self, slot: usize) {
        self.slots[slot].1 = None;
    }
}

impl Worker {
    fn start(
        program: &PathBuf,
        slot: &Slot,
        index: usize,
        number: u64,
        sender: &Sender<(usize, u64, News)>,
    ) -> io::Result<Self> {
        let kills_before = kills_for_memory();
        let mut child = Command::new(program)
            .args(["worker", "--device", &slot.device.to_string(), "--threads", &slot.threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (mut output, errors) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let last_lines = Arc::new(Mutex::new(VecDeque::new()));
        let kept = last_lines.clone();
        let keeper = thread::spawn(move || {
            for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
                let mut kept = kept.lock().expect("no thread panics while it holds the lock");
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(String::from_utf8_lossy(&line).into_owned());
            }
        });
        let sender = sender.clone();
        let reader = thread::spawn(move || {
            let mut output = BufReader::new(&mut output);
            while let Ok(report) = receive(&mut output) {
                if sender.send((index, number, News::Report(report))).is_err() {
                    return;
                }
            }
            let _ = sender.send((index, number, News::Silence));
        });
        let orders = child.stdin.take();
        Ok(Self { number, child, orders, last_lines, readers: vec![keeper, reader], kills_before })
    }

    fn send(&mut self, order: &Order) -> Result<(), ExecuteError> {
        let order =
            encode(order).map_err(|e| ExecuteError::Worker(format!("a request cannot be sent to a worker: {e}")))?;
        if let Some(orders) = &mut self.orders {
            // If the worker is gone, its reader reports that.
            let _ = orders.write_all(&order).and_then(|()| orders.flush());
        }
        Ok(())
    }

    /// Ends the worker; returns the kind of failure and a message with its last lines.
    fn end(mut self) -> (FailureKind, String) {
        self.orders = None;
        // It is possibly alive, after a message that cannot be read.
        let _ = self.child.kill();
        let status = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let last_lines: Vec<String> =
            self.last_lines.lock().expect("no thread panics while it holds the lock").drain(..).collect();
        let killed_for_memory = kills_for_memory() > self.kills_before;
        failure(status, &last_lines.join("\n"), killed_for_memory)
    }
}

impl Drop for Worker {
    /// A worker ends when its orders end, but is not waited for in the middle of a step.
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a worker failed, from its exit status and its last lines. The first line of the message says why; the last lines follow.
fn failure(status: io::Result<ExitStatus>, last_lines: &str, killed_for_memory: bool) -> (FailureKind, String) {
    let (how, signal) = match status {
        Ok(status) => (ended(status), signal(status)),
        Err(e) => (format!("cannot be waited for: {e}"), None),
    };
    let last_lines = last_lines.trim();
    // Rust's message for a failed allocation, or a kill by Linux for lack of memory.
    let memory = last_lines.contains("memory allocation of") || (signal == Some(9) && killed_for_memory);
    let output = if last_lines.is_empty() { String::new() } else { format!("\nits last output:\n{last_lines}") };
    match memory {
        true => (FailureKind::Oom, format!("memory ran out: its worker {how}{output}")),
        false => (FailureKind::Crashed, format!("its worker {how}{output}")),
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), signal(status)) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(9)) => "was killed (signal 9)".into(),
        (None, Some(signal)) => format!("was ended by signal {signal}{}", named(signal)),
        (None, None) => "ended without an exit status".into(),
    }
}

/// The name of a signal, with its meaning for some.
#[cfg(unix)]
fn named(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => " (SIGHUP)",
        libc::SIGINT => " (SIGINT)",
        libc::SIGQUIT => " (SIGQUIT)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS: a file that it was reading was truncated, or a disk is failing)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGTERM => " (SIGTERM)",
        libc::SIGXCPU => " (SIGXCPU: the limit on processor time, `ulimit -t`)",
        libc::SIGXFSZ => " (SIGXFSZ: the limit on the size of a file, `ulimit -f`)",
        _ => "",
    }
}

#[cfg(not(unix))]
fn named(_: i32) -> &'static str {
    ""
}

/// Number of processes that Linux has killed for lack of memory: in the control group of this process, or in the whole system if that is
/// not known; 0 if neither is.
fn kills_for_memory() -> u64 {
    let read = |path: String| std::fs::read_to_string(path).unwrap_or_default();
    let group = read("/proc/self/cgroup".into());
    let group = group.lines().find_map(|line| line.strip_prefix("0::"));
    let own = group.map(|group| read(format!("/sys/fs/cgroup{}/memory.events", group.trim_end_matches('/'))));
    let count = |counters: &str| counters.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
    own.and_then(|events| count(&events)).or_else(|| count(&read("/proc/vmstat".into()))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_starts_no_worker() {
        // Starting a worker fails: there is no such program.
        let slots = Slot::share(&[DeviceChoice::Cpu, DeviceChoice::Cpu], 2);
        let mut workers = LocalWorkers::new("/no/such/taper".into(), &slots);
        for order in [Order::Stop, Order::Recorded, Order::Continue(true)] {
            assert!(workers.answer(1, &order).is_ok());
        }
        assert_eq!(workers.started, 0);
        assert!(workers.worker(1).is_err(), "a worker would have been started");
        workers.release(0);
        assert!(workers.answer(0, &Order::Stop).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn the_exit_status_and_the_last_lines_say_how_a_worker_failed() {
        let ended = |script: &str, killed| {
            let output = Command::new("sh").args(["-c", script]).output().unwrap();
            failure(Ok(output.status), &String::from_utf8_lossy(&output.stderr), killed)
        };
        let (kind, text) = ended("echo \"thread 'main' panicked at x.rs\" >&2; exit 101", false);
        assert_eq!(kind, FailureKind::Crashed);
        assert_eq!(text, "its worker ended with exit code 101\nits last output:\nthread 'main' panicked at x.rs");
        assert_eq!(ended("kill -9 $$", false), (FailureKind::Crashed, "its worker was killed (signal 9)".into()));
        let (kind, text) = ended("kill -9 $$", true);
        assert_eq!((kind, text.starts_with("memory ran out: ")), (FailureKind::Oom, true));
        let (kind, _) = ended("echo 'memory allocation of 64 bytes failed' >&2; kill -6 $$", false);
        assert_eq!(kind, FailureKind::Oom);
        assert_eq!(ended("exit 3", true).0, FailureKind::Crashed);
        assert_eq!(ended("kill -15 $$", false).1, "its worker was ended by signal 15 (SIGTERM)");
        assert!(ended("kill -XFSZ $$", false).1.ends_with("(SIGXFSZ: the limit on the size of a file, `ulimit -f`)"));
        assert!(ended("kill -XCPU $$", false).1.contains("`ulimit -t`"));
    }
}
