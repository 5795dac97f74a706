//! Reads the body of a request: JSON, not too large, and in time.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::{
    Limits,
    fault::{Fault, Kind},
};

/// How much of a body that is too large is read and forgotten: a client that is still sending would not read why it is refused.
const FORGOTTEN: usize = 64 << 20;
/// For how long.
const FORGETTING: Duration = Duration::from_secs(2);

/// The JSON of a request.
///
/// # Errors
/// If it is not JSON of this shape, too large, or too slow.
pub async fn read<T: DeserializeOwned>(headers: &HeaderMap, mut body: Body, limits: &Limits) -> Result<T, Fault> {
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
        // Who asks first whether to send it has sent nothing yet.
        if !headers.contains_key(header::EXPECT) {
            forget(body).await;
        }
        return Err(too_large());
    }
    let read = tokio::time::timeout(limits.client, Limited::new(&mut body, limits.body_bytes).collect()).await;
    let slow = || {
        let seconds = limits.client.as_secs_f64();
        Fault::new(Kind::Slow, format!("the body did not come within {seconds} seconds"))
    };
    match read.map_err(|_| slow())? {
        Ok(whole) => serde_json::from_slice(&whole.to_bytes()).map_err(|error| {
            let kind = if error.is_data() { Kind::Shape } else { Kind::Syntax };
            Fault::new(kind, format!("the body is not as expected: {error}"))
        }),
        Err(error) if error.is::<LengthLimitError>() => {
            forget(body).await;
            Err(too_large())
        }
        Err(error) => Err(Fault::new(Kind::Syntax, format!("the body cannot be read: {error}"))),
    }
}

/// Whether a request says that its body is JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json")
}

async fn forget(body: Body) {
    let mut rest = Limited::new(body, FORGOTTEN);
    let all = async { while let Some(Ok(_)) = rest.frame().await {} };
    let _ = tokio::time::timeout(FORGETTING, all).await;
}
