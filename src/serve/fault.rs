//! What goes wrong with a request: a status and JSON as text-embeddings-inference answers, `{"error": …, "error_type": …}`.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: Kind,
    /// The message for the client.
    message: String,
    /// When it may work.
    retry_after: Option<Duration>,
}

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not JSON.
    Syntax,
    /// JSON of another shape.
    Shape,
    /// Not sent as JSON.
    MediaType,
    /// Nothing to classify.
    Empty,
    /// More than a limit allows.
    TooLarge,
    /// The tokenizer cannot read a text, or the model does not read such texts.
    Unreadable,
    /// No such path or model.
    NotFound,
    /// The path does not take this method.
    Method,
    /// No token, or another.
    Token,
    /// Too much waits already.
    Overloaded,
    /// The body does not come.
    Slow,
    /// The answer takes too long.
    Late,
    /// The model fails.
    Backend,
    /// The server ends, or the model has ended.
    Unhealthy,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Syntax,
        Self::Shape,
        Self::MediaType,
        Self::Empty,
        Self::TooLarge,
        Self::Unreadable,
        Self::NotFound,
        Self::Method,
        Self::Token,
        Self::Overloaded,
        Self::Slow,
        Self::Late,
        Self::Backend,
        Self::Unhealthy,
    ];

    /// The status and the `error_type`. Those that text-embeddings-inference has are as there.
    pub fn code(self) -> (StatusCode, &'static str) {
        match self {
            Self::Syntax => (StatusCode::BAD_REQUEST, "validation"),
            Self::Shape => (StatusCode::UNPROCESSABLE_ENTITY, "validation"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "validation"),
            Self::Empty => (StatusCode::BAD_REQUEST, "empty"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "validation"),
            Self::Unreadable => (StatusCode::UNPROCESSABLE_ENTITY, "tokenizer"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Token => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Overloaded => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "timeout"),
            Self::Late => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            Self::Backend => (StatusCode::FAILED_DEPENDENCY, "backend"),
            Self::Unhealthy => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
        }
    }
}

impl Fault {
    /// A fault with what is said of it.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// Adds the time after which the client may try again.
    #[must_use]
    pub fn retry_after(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, error_type) = self.kind.code();
        let mut response = (status, Json(json!({ "error": self.message, "error_type": error_type }))).into_response();
        let headers = response.headers_mut();
        if let Some(time) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(time.as_secs_f64().ceil().max(1.0) as u64));
        }
        match self.kind {
            Kind::Token => drop(headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            // What is left of the body is not read.
            Kind::Slow => drop(headers.insert(header::CONNECTION, HeaderValue::from_static("close"))),
            _ => {}
        }
        response
    }
}
