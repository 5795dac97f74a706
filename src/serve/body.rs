//! Reads the body of a request: JSON, not too large, and in time.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Frame;
use serde::de::DeserializeOwned;

use super::{
    Limits,
    fault::{Fault, Kind},
};

/// How much of a body that nobody wants is read and forgotten: a client that is still sending would not read why it is refused.
const FORGOTTEN: usize = 64 << 20;
/// The longest time for which the rest of a refused body is read.
const FORGETTING: Duration = Duration::from_secs(2);

/// A body that is still there when who was to read it has answered before its end.
#[derive(Clone)]
pub struct Kept(Arc<Mutex<(Body, bool)>>);

impl Kept {
    /// Keeps a body.
    pub fn new(body: Body) -> Self {
        let is_empty = body.is_end_stream();
        Self(Arc::new(Mutex::new((body, is_empty))))
    }

    /// Reads what is left, without keeping it. Returns whether its end was reached: otherwise the connection takes no more requests.
    pub async fn forget(self) -> bool {
        if !self.is_end_stream() {
            let mut rest = Limited::new(self.clone(), FORGOTTEN);
            let all = async { while let Some(Ok(_)) = rest.frame().await {} };
            let _ = tokio::time::timeout(FORGETTING, all).await;
        }
        self.is_end_stream()
    }
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let (body, ended) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = Pin::new(&mut *body).poll_frame(context);
        *ended |= matches!(polled, Poll::Ready(None)) || body.is_end_stream();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// The JSON of a request.
///
/// # Errors
/// If it is not JSON of this shape, too large, or too slow.
pub async fn read<T: DeserializeOwned>(headers: &HeaderMap, body: Body, limits: &Limits) -> Result<T, Fault> {
    if !is_json(headers) {
        let what = "the body must be JSON: send the header `Content-Type: application/json`";
        return Err(Fault::new(Kind::MediaType, what));
    }
    let too_large = || {
        let most = crate::format::count(limits.body_bytes as u64);
        Fault::new(Kind::TooLarge, format!("the body has more than {most} bytes: send fewer texts at a time"))
    };
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limits.body_bytes as u64) {
        return Err(too_large());
    }
    let read = tokio::time::timeout(limits.client, Limited::new(body, limits.body_bytes).collect()).await;
    let slow = || {
        let seconds = limits.client.as_secs_f64();
        Fault::new(Kind::Slow, format!("the body did not arrive within {seconds} seconds"))
    };
    match read.map_err(|_| slow())? {
        Ok(whole) => serde_json::from_slice(&whole.to_bytes()).map_err(|error| {
            let kind = if error.is_data() { Kind::Shape } else { Kind::Syntax };
            Fault::new(kind, format!("the body is not as expected: {error}"))
        }),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(Fault::new(Kind::Syntax, format!("the body cannot be read: {error}"))),
    }
}

/// Whether a request says that its body is JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json")
}
