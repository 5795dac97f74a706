//! Connections, and the end of the server.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpStream,
    sync::{Semaphore, watch},
};

use super::{
    Happening, Limits, Listener, ServeError, Served,
    meters::Meters,
    models::Models,
    patient::Patient,
    reload::Watch,
    routes::{App, router},
    token::Token,
};

/// How often the files of models are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes of the head of a request.
const HEAD: usize = 64 << 10;
/// For how long no connection is accepted after the system has refused one: for want of files, for example.
const PAUSE: Duration = Duration::from_millis(100);

/// Ends a server: it answers what it has accepted, and accepts no more.
#[derive(Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// From any thread.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Serves until it is stopped.
///
/// # Errors
/// If the system refuses a thread or the socket.
pub fn serve(
    listener: TcpListener,
    models: Models,
    (limits, token): (Limits, Option<Token>),
    told: Listener,
    stop: &Stop,
) -> Result<Served, ServeError> {
    listener.set_nonblocking(true)?;
    let stopping = AtomicBool::new(false);
    let app = Arc::new(App { models, limits, token, meters: Meters::default(), listener: told, stopping });
    look_after(app.clone())?;
    // Two threads talk to clients; those that compute are others.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .thread_name("serve")
        .enable_all()
        .build()?;
    let served = runtime.block_on(accept(listener, app, stop));
    // A client that still sends does not hold up the end.
    runtime.shutdown_background();
    served
}

/// Looks for new files of all models, on a thread of its own, as long as the server accepts requests.
fn look_after(app: Arc<App>) -> Result<(), ServeError> {
    let mut watches: Vec<Watch> = app.models.all().iter().map(|model| Watch::new(model.clone())).collect();
    let look = move || {
        while !app.stopping.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
            watches.iter_mut().for_each(|watch| watch.look(&app.limits, &app.listener));
        }
    };
    thread::Builder::new().name("reload".into()).spawn(look)?;
    Ok(())
}

async fn accept(listener: TcpListener, app: Arc<App>, stop: &Stop) -> Result<Served, ServeError> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (connections, graceful) = (Arc::new(Semaphore::new(app.limits.connections)), GracefulShutdown::new());
    let (service, http) = (TowerToHyperService::new(router(app.clone())), http(&app.limits));
    let mut stopped = stop.0.subscribe();
    loop {
        let next = async {
            let permit = connections.clone().acquire_owned().await.expect("nobody closes it");
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            next = next => next,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let connection = http.serve_connection(io(stream, &app.limits), service.clone());
        let connection = graceful.watch(connection);
        let app = app.clone();
        tokio::spawn(async move {
            app.meters.connections.fetch_add(1, Ordering::Relaxed);
            // A client that went away, or was too slow: there is nobody to tell.
            let _ = connection.await;
            app.meters.connections.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
    }
    // From here on the system refuses connections.
    drop(listener);
    app.stopping.store(true, Ordering::Relaxed);
    (app.listener)(Happening::Stopping { open: app.meters.open.load(Ordering::Relaxed) as usize });
    let most = app.limits.client + app.limits.answer + app.limits.client;
    let _ = tokio::time::timeout(most, graceful.shutdown()).await;
    let unanswered = app.meters.open.load(Ordering::Relaxed);
    Ok(Served { accepted: app.meters.accepted.load(Ordering::Relaxed), unanswered })
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // It also ends connections on which nothing is asked for that long.
    http.timer(TokioTimer::new()).header_read_timeout(limits.client).max_buf_size(HEAD);
    http
}

fn io(stream: TcpStream, limits: &Limits) -> TokioIo<Patient> {
    // Answers are small: they are sent at once.
    let _ = stream.set_nodelay(true);
    TokioIo::new(Patient::new(stream, limits.client))
}
