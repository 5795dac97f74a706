//! More requests than can be answered at once, and the end of the server among them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::server::Server;
use crate::predict::trained;

/// So many texts.
fn texts(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("味道很好，送得慢，第{i}次")).collect()
}

#[test]
fn a_full_queue_refuses_with_the_time_to_wait_and_answers_again() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small", "--queue-requests", "1", "--batch-tokens", "32"]);
    let [fine, full] = [AtomicU64::new(0), AtomicU64::new(0)];
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let client = server.client();
                let body = json!({ "input": texts(60) });
                while fine.load(Ordering::Relaxed) < 12 || full.load(Ordering::Relaxed) < 12 {
                    assert!(began.elapsed() < Duration::from_secs(120), "{fine:?} answered, {full:?} refused");
                    let reply = client.post("/v1/classify", &body);
                    match reply.status {
                        200 => fine.fetch_add(1, Ordering::Relaxed),
                        _ => {
                            assert!(reply.status == 429 && reply.error().contains("is overloaded"), "{reply:?}");
                            let wait = reply.retry_after.as_deref().and_then(|seconds| seconds.parse::<u64>().ok());
                            assert!(wait.is_some_and(|seconds| (1..=60).contains(&seconds)), "{reply:?}");
                            full.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                }
            });
        }
    });
    server.client().classified("好");
}

#[test]
fn an_answer_that_takes_too_long_is_given_up() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small", "--answer-timeout", "0.001"]);
    let client = server.client();
    let reply = client.post("/v1/classify", &json!({ "input": texts(256) }));
    assert!(reply.status == 504 && reply.error().contains("no answer within 0.001 seconds"), "{reply:?}");
}

/// Each request that the server has counted was answered and read; then it ends, with the exit code 0.
#[test]
fn no_accepted_request_is_lost_when_the_server_is_stopped() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small"]);
    let answered = AtomicU64::new(0);
    thread::scope(|scope| {
        for i in 0..6 {
            let (server, answered) = (&server, &answered);
            scope.spawn(move || {
                let client = server.client();
                let body = json!({ "input": texts(1 + 7 * i) }).to_string();
                while let Ok(reply) = client.try_post("/v1/classify", &body) {
                    assert_eq!(reply.status, 200, "{reply:?}");
                    assert_eq!(reply.json()["data"].as_array().map(Vec::len), Some(1 + 7 * i));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while answered.load(Ordering::Relaxed) < 60 {
            thread::sleep(Duration::from_millis(5));
        }
        server.terminate();
    });
    let answered = answered.into_inner();
    let address = server.address.clone();
    let (code, said) = server.wait();
    assert_eq!(code, Some(0), "{said}");
    let count = taper::format::count(answered);
    assert!(said.contains(&format!("stopped: {count} requests, all answered")), "{answered} were answered: {said}");
    assert!(std::net::TcpStream::connect(address).is_err(), "it still listens");
}

/// One of twenty requests is bad, in many ways; the others have their answers.
#[test]
fn bad_requests_among_others_change_nothing() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small", "--access-log"]);
    let client = server.client();
    let texts = texts(40);
    let want: Vec<Value> = texts.iter().map(|text| client.classified(text)["probabilities"].clone()).collect();
    const BAD: [(&str, &str); 8] = [
        ("/v1/classify", "{"),
        ("/v1/classify", "{\"input\": []}"),
        ("/v1/classify", "{\"input\": 3}"),
        ("/v1/classify", "{\"input\": \"\"}"),
        ("/v1/classify", "{\"input\": \"a\", \"model\": \"zzz\"}"),
        ("/zzz", "{}"),
        ("/health", "{}"),
        ("/predict", "{\"inputs\": [\"a\", \"b\"]}"),
    ];
    thread::scope(|scope| {
        for first in 0..4 {
            let (server, texts, want) = (&server, &texts, &want);
            scope.spawn(move || {
                let client = server.client();
                for i in 0..160 {
                    if i % 20 == 7 {
                        let (path, body) = BAD[(i / 20 + first) % BAD.len()];
                        let reply = client.try_post(path, body).expect("an answer");
                        assert!((400..500).contains(&reply.status), "{path} {body}: {reply:?}");
                        reply.error();
                        continue;
                    }
                    let at = (7 * i + first) % texts.len();
                    let said = client.classified(&texts[at]);
                    assert_eq!(said["probabilities"], want[at], "{said}");
                }
            });
        }
    });
    // A line is written after its answer.
    let ok = |said: &str| said.lines().filter(|line| line.contains(" POST /v1/classify 200 ")).count();
    let mut said = server.said();
    for _ in 0..100 {
        if ok(&said) == 40 + 4 * 152 {
            break;
        }
        thread::sleep(Duration::from_millis(50));
        said = server.said();
    }
    assert_eq!(ok(&said), 40 + 4 * 152, "{said}");
    assert!(!said.contains("味道"), "texts are not logged");
}
