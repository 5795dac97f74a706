//! Hands out a page to browsers on this machine, and tells them when there is a newer one.
//!
//! The standard library is enough: two paths, GET only, one request for each connection, and server-sent events. A framework would bring
//! an async runtime and dozens of crates into a program that otherwise serves nothing.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use taper::report::LivePage;

use super::http::{self, Refusal};

/// Connections at a time: some tabs, each with a stream of events. More are refused.
const MOST: usize = 32;
/// How long a client may take to read.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time between two signs of life in a stream of events, by which a client that is gone is noticed.
const BEAT: Duration = Duration::from_secs(10);
/// How long browsers have to load the last page.
const FAREWELL: Duration = Duration::from_secs(3);

/// A server of one page.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    connections: AtomicUsize,
    hosts: Vec<String>,
}

struct State {
    page: Arc<LivePage>,
    /// What browsers are told at the end.
    end: Option<String>,
    /// Browsers that listen for events.
    listeners: usize,
    /// How often the page was read since the end.
    read_at_end: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Serves a page at a loopback address; port 0 is any free one.
    ///
    /// # Errors
    /// The port cannot be used.
    pub fn start(address: SocketAddr, page: LivePage) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let port = address.port();
        let own = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let state = State { page: Arc::new(page), end: None, listeners: 0, read_at_end: 0 };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            connections: AtomicUsize::new(0),
            hosts: hosts([&own, "localhost"], port),
        });
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("server".into()).spawn(move || accept(&listener, &of_thread))?;
        Ok(Self { address, shared })
    }

    /// Its web address.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Whether a browser shows the page, and listens for a newer one.
    pub fn is_shown(&self) -> bool {
        self.shared.state().listeners > 0
    }

    /// Hands out a newer page from now on.
    pub fn show(&self, page: LivePage) {
        self.shared.state().page = Arc::new(page);
        self.shared.changed.notify_all();
    }

    /// Tells browsers that there will be no newer page, and waits until those that listen have loaded the last one, for a few seconds.
    pub fn end(&self, said: &str) {
        let mut state = self.shared.state();
        state.end = Some(said.into());
        let listeners = state.listeners;
        self.shared.changed.notify_all();
        let until = Instant::now() + FAREWELL;
        while state.read_at_end < listeners || state.listeners > 0 {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            (state, _) = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// How browsers name the server. They leave out port 80.
fn hosts(names: [&str; 2], port: u16) -> Vec<String> {
    let bare = names.into_iter().filter(|_| port == 80).map(String::from);
    names.into_iter().map(|name| format!("{name}:{port}")).chain(bare).collect()
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else {
            // Too many open files, for example: they are closed in time.
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        let _ = stream.set_write_timeout(Some(PATIENCE));
        if shared.connections.fetch_add(1, Ordering::Relaxed) >= MOST {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
            let status = Refusal::Busy.status();
            let _ = http::answer(&mut stream, status, "text/plain", status.as_bytes());
            continue;
        }
        let of_thread = Arc::clone(shared);
        let serve = move || {
            // A client that goes away ends its own connection only.
            let _ = serve(&mut stream, &of_thread);
            of_thread.connections.fetch_sub(1, Ordering::Relaxed);
        };
        if thread::Builder::new().name("connection".into()).spawn(serve).is_err() {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn serve(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let Some(head) = http::read(stream)? else { return Ok(()) };
    let path = head.and_then(|head| http::path(&head, &shared.hosts));
    match path.as_deref() {
        Ok("/") => {
            let page = Arc::clone(&shared.state().page);
            http::answer(stream, "200 OK", "text/html", page.html.as_bytes())?;
            let mut state = shared.state();
            if state.end.is_some() {
                state.read_at_end += 1;
                shared.changed.notify_all();
            }
            Ok(())
        }
        Ok("/events") => {
            shared.state().listeners += 1;
            let told = tell(stream, shared);
            shared.state().listeners -= 1;
            shared.changed.notify_all();
            told
        }
        Ok(_) => refuse(stream, Refusal::NotFound),
        Err(refusal) => refuse(stream, *refusal),
    }
}

fn refuse(stream: &mut TcpStream, refusal: Refusal) -> io::Result<()> {
    let status = refusal.status();
    http::answer(stream, status, "text/plain", format!("{status}\n").as_bytes())?;
    // A connection that is closed with bytes left to read loses the answer; what comes later than this is not waited for.
    const LEFT: (usize, Duration) = (64 * 1024, Duration::from_millis(200));
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(LEFT.1))?;
    let (mut buffer, mut seen, begin) = ([0; 4096], 0, Instant::now());
    while let Ok(n) = stream.read(&mut buffer)
        && n > 0
        && seen < LEFT.0
        && begin.elapsed() < 5 * LEFT.1
    {
        seen += n;
    }
    Ok(())
}

/// Sends an event for each version of the page, beginning with the present one, until the end.
fn tell(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    http::begin_events(stream)?;
    let mut told = None;
    loop {
        let is_news = |state: &mut State| told == Some(state.page.version) && state.end.is_none();
        let waited = shared.changed.wait_timeout_while(shared.state(), BEAT, is_news);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let (version, end) = (state.page.version, state.end.clone());
        drop(state);
        let text = match &end {
            Some(said) => format!("event: end\ndata: {said}\n\n"),
            None if told == Some(version) => ": still here\n\n".into(),
            None => format!("event: page\ndata: {version}\n\n"),
        };
        stream.write_all(text.as_bytes())?;
        stream.flush()?;
        if end.is_some() {
            return Ok(());
        }
        told = Some(version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_leave_out_port_80() {
        let names = ["127.0.0.1", "localhost"];
        assert_eq!(hosts(names, 81), ["127.0.0.1:81", "localhost:81"]);
        assert_eq!(hosts(names, 80), ["127.0.0.1:80", "localhost:80", "127.0.0.1", "localhost"]);
    }
}
