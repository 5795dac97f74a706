//! The paths of the server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    Json, Router,
    body::{Body, HttpBody},
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use serde_json::{Value, json};

use super::{
    Happening, Limits, Listener,
    ask::ask,
    body::{self, Kept},
    fault::{Fault, Kind},
    meters::Meters,
    models::{Model, Models},
    openapi, pages,
    said::{Classified, info, predictions},
    token::Token,
    wire::{Classify, Predict},
};

/// What answers requests.
pub struct App {
    /// The models.
    pub models: Models,
    /// What is allowed.
    pub limits: Limits,
    /// The token that requests must name, if one is wanted.
    pub token: Option<Token>,
    /// What has been done.
    pub meters: Meters,
    /// Called with each event of the server.
    pub listener: Listener,
    /// Set when the server ends.
    pub stopping: AtomicBool,
}

type Shared = State<Arc<App>>;
/// The name of a model in a path that has one.
type Name = Result<Option<Path<String>>, PathRejection>;

/// Paths for which no token is needed: their answers contain nothing about the models.
const FOR_ALL: [&str; 4] = ["/", "/docs", "/health", "/openapi.json"];

/// Every path with what it does.
fn paths() -> [(&'static str, MethodRouter<Arc<App>>); 11] {
    [
        ("/", get(|| async { pages::home() })),
        ("/docs", get(|| async { pages::docs() })),
        ("/openapi.json", get(|| async { Json(openapi::document()) })),
        ("/health", get(health)),
        ("/info", get(info_of_all)),
        ("/metrics", get(metrics)),
        ("/predict", post(predict)),
        ("/v1/classify", post(classify)),
        ("/models/{name}/info", get(info_of_one)),
        ("/models/{name}/predict", post(predict)),
        ("/models/{name}/v1/classify", post(classify)),
    ]
}

/// All of them.
pub fn router(app: Arc<App>) -> Router {
    let router = paths().into_iter().fold(Router::new(), |router, (path, method)| router.route(path, method));
    router
        .fallback(|request: Request| async move {
            let path = crate::format::bounded(request.uri().path(), 200).into_owned();
            Fault::new(Kind::NotFound, format!("there is no path `{path}`; /docs lists them"))
        })
        .method_not_allowed_fallback(|request: Request| async move {
            let what =
                format!("`{}` does not take {}; /docs says what it takes", request.uri().path(), request.method());
            Fault::new(Kind::Method, what)
        })
        .layer(middleware::from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// The path as it is counted: names of models are left out, and so are paths that do not exist.
fn counted(path: &str) -> &'static str {
    let matches = |pattern: &str| match pattern.split_once("{name}") {
        None => pattern == path,
        Some((before, after)) => {
            let name = path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
        }
    };
    PATTERNS.iter().find(|pattern| matches(pattern)).copied().unwrap_or("other")
}

/// The paths of [`paths`].
const PATTERNS: [&str; 11] = [
    "/",
    "/docs",
    "/openapi.json",
    "/health",
    "/info",
    "/metrics",
    "/predict",
    "/v1/classify",
    "/models/{name}/info",
    "/models/{name}/predict",
    "/models/{name}/v1/classify",
];

/// Counts a request for as long as it is open.
struct Open<'a>(&'a AtomicU64);

impl<'a> Open<'a> {
    fn new(open: &'a AtomicU64) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is done for every request.
async fn around(State(app): Shared, request: Request, next: Next) -> Response {
    let began = Instant::now();
    app.meters.accepted.fetch_add(1, Ordering::Relaxed);
    let open = Open::new(&app.meters.open);
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let allowed = match &app.token {
        Some(token) if !FOR_ALL.contains(&path.as_str()) => token.check(request.headers()),
        _ => Ok(()),
    };
    // A client that expects `100 Continue` has not sent its body yet.
    let waits = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let kept = Kept::new(body);
    let mut response = match allowed {
        Ok(()) => next.run(Request::from_parts(parts, Body::new(kept.clone()))).await,
        Err(fault) => fault.into_response(),
    };
    // What was not read would be taken for the next request.
    if waits && !kept.is_end_stream() || !kept.forget().await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    let (status, took) = (response.status().as_u16(), began.elapsed());
    drop(open);
    app.meters.answered(counted(&path), status, took);
    (app.listener)(Happening::Answered { method, path, status, took });
    response
}

async fn health(State(app): Shared) -> Result<Json<Value>, Fault> {
    if app.stopping.load(Ordering::Relaxed) {
        return Err(Fault::new(Kind::Unhealthy, "the server is stopping"));
    }
    let failed = app.models.all().iter().find(|model| !model.is_alive());
    match failed {
        Some(model) => Err(Fault::new(Kind::Unhealthy, format!("the model {} has failed", model.origin.name))),
        None => Ok(Json(json!({ "status": "ok" }))),
    }
}

async fn info_of_all(State(app): Shared) -> Json<Value> {
    let all = app.models.all();
    let models: Vec<Value> = all.iter().map(|model| Value::Object(info(model, &app.limits))).collect();
    // The fields of the first model are where a client of text-embeddings-inference looks for them.
    let mut fields = info(&all[0], &app.limits);
    fields.insert("models".into(), models.into());
    Json(fields.into())
}

async fn info_of_one(State(app): Shared, name: Name) -> Result<Json<Value>, Fault> {
    Ok(Json(info(chosen(&app, name, None)?, &app.limits).into()))
}

async fn metrics(State(app): Shared) -> Response {
    let models: Vec<_> = app.models.all().iter().map(|model| model.now()).collect();
    let page = app.meters.page(&models);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

async fn predict(State(app): Shared, name: Name, headers: HeaderMap, request: Request) -> Result<Response, Fault> {
    let mut asked: Predict = body::read(&headers, request.into_body(), &app.limits).await?;
    let model = chosen(&app, name, asked.model.as_deref())?;
    let inputs = asked.take_inputs()?;
    let answered = ask(model, inputs.texts, asked.truncate, &app.limits).await?;
    let mut predictions = predictions(&answered, asked.raw_scores);
    Ok(match inputs.single {
        true => Json(predictions.swap_remove(0)).into_response(),
        false => Json(predictions).into_response(),
    })
}

async fn classify(State(app): Shared, name: Name, headers: HeaderMap, request: Request) -> Result<Response, Fault> {
    let mut asked: Classify = body::read(&headers, request.into_body(), &app.limits).await?;
    let model = chosen(&app, name, asked.model.as_deref())?;
    let answered = ask(model, asked.take_inputs()?.texts, asked.truncate, &app.limits).await?;
    Ok(Json(Classified { answered: &answered, model: &model.origin.name }).into_response())
}

/// The model of the path, or that of the body.
fn chosen<'a>(app: &'a App, path: Name, body: Option<&str>) -> Result<&'a Arc<Model>, Fault> {
    let path = path.map_err(|error| Fault::new(Kind::NotFound, format!("there is no such model: {error}")))?;
    match (path, body) {
        (Some(Path(path)), Some(body)) if path != body => {
            let body = crate::format::bounded(body, 100);
            Err(Fault::new(Kind::Shape, format!("the path names the model `{path}`, and the body `{body}`")))
        }
        (Some(Path(path)), _) => app.models.named(Some(&path)),
        (None, body) => app.models.named(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_counted_and_documented() {
        let paths = paths().map(|(path, _)| path);
        assert_eq!(paths, PATTERNS);
        let document = openapi::document();
        let mut documented: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
        let mut wanted = paths.to_vec();
        documented.sort();
        wanted.sort_unstable();
        assert_eq!(documented, wanted);
        assert!(FOR_ALL.iter().all(|path| PATTERNS.contains(path)));
    }

    #[test]
    fn names_of_models_and_unknown_paths_are_not_counted_apart() {
        for (path, want) in [
            ("/predict", "/predict"),
            ("/models/a/predict", "/models/{name}/predict"),
            ("/models/a/v1/classify", "/models/{name}/v1/classify"),
            ("/models//predict", "other"),
            ("/models/a/b/predict", "other"),
            ("/predict/", "other"),
            ("/zzz", "other"),
        ] {
            assert_eq!(counted(path), want, "{path}");
        }
    }
}
