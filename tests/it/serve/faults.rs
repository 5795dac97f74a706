//! Requests that cannot be answered: each gets a status and a message, and the next one an answer.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::server::Server;
use crate::predict::trained;

#[test]
fn bad_requests_are_refused_with_a_message() {
    let sandbox = trained();
    let options = ["small", "--max-texts", "3", "--max-chars", "200", "--max-body", "2000", "--queue-tokens", "40"];
    let server = Server::start(&sandbox, &options);
    let client = server.client();
    let long = "好".repeat(60);
    for (path, body, status, said) in [
        ("/predict", "{", 400, "EOF while parsing"),
        ("/predict", "", 400, "EOF while parsing"),
        ("/predict", "{\"inputs\": \"\\ud800\"}", 400, "hex escape"),
        ("/predict", "{\"inputs\": NaN}", 400, "expected value"),
        ("/predict", "[]", 422, "the body is not as expected"),
        ("/predict", "{}", 422, "missing field `inputs`"),
        ("/predict", "{\"inputs\": 1}", 422, "`inputs` is a number"),
        ("/predict", "{\"inputs\": \"好\", \"truncate\": 1}", 422, "expected a boolean"),
        ("/predict", "{\"inputs\": [\"a\", \"b\", \"c\"]}", 422, "`inputs` has 3 strings"),
        ("/predict", "{\"inputs\": [\"a\", \"b\"]}", 422, "is a pair, but the model reads one text"),
        ("/predict", "{\"inputs\": []}", 400, "nothing to classify"),
        ("/predict", "{\"inputs\": \"\"}", 400, "the text is empty"),
        ("/predict", "{\"inputs\": [[\"好\"], [\" \\u200b\"]]}", 400, "text 2 is empty"),
        (
            "/predict",
            "{\"inputs\": [[\"a\"], [\"b\"], [\"c\"], [\"d\"]]}",
            413,
            "4 texts are too many: a request may have at most 3",
        ),
        ("/v1/classify", "{\"input\": {\"txt\": \"a\"}}", 422, "has the field `txt`"),
        ("/v1/classify", "{\"input\": []}", 400, "nothing to classify"),
        ("/v1/classify", "{\"inputs\": \"a\"}", 422, "missing field `input`"),
    ] {
        let reply = client.try_post(path, body).expect("an answer");
        assert!(reply.status == status && reply.error().contains(said), "{path} {body}: {reply:?}");
    }
    for (body, said) in [
        (
            json!({ "inputs": long }),
            "the text has 62 tokens, and the model reads 32: with \"truncate\": true it is cut",
        ),
        (json!({ "inputs": "好".repeat(201), "truncate": true }), "more than 200 characters"),
        (
            json!({ "inputs": [[long], [long]], "truncate": true }),
            "the texts have 64 tokens, more than the 40 that the queue holds",
        ),
    ] {
        let reply = client.post("/predict", &body);
        assert!(reply.status == 413 && reply.error().contains(said), "{body}: {reply:?}");
    }
    // Cut, it is answered.
    assert_eq!(client.post("/predict", &json!({ "inputs": long, "truncate": true })).status, 200);
    let other = client.post_as("/predict", "text/plain", "{\"inputs\": \"好\"}");
    assert!(other.status == 415 && other.error().contains("Content-Type: application/json"), "{other:?}");
    for (path, status, said) in [
        ("/zzz", 404, "no path `/zzz`"),
        ("/models/%ff/info", 404, "there is no such model"),
        ("/predict", 405, "does not take GET"),
    ] {
        let reply = client.get(path);
        assert!(reply.status == status && reply.error().contains(said), "{reply:?}");
    }
    assert!(client.get("/health").status == 200 && client.asked("/predict", json!({ "inputs": "好" })).is_array());
}

/// Whether its length was said or not, and whether the client waits for an answer before it sends.
#[test]
fn a_body_that_is_too_large_is_refused_and_the_client_reads_why() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small", "--max-body", "1000"]);
    let large = format!("{{\"inputs\": \"{}\"}}", "好".repeat(1_000_000));
    let reply = server.client().try_post("/predict", &large).expect("an answer");
    assert!(reply.status == 413 && reply.error().contains("more than 1,000 bytes"), "{reply:?}");
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    stream.write_all(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let chunk = [b"1000\r\n", &[b'a'; 0x1000][..], b"\r\n"].concat();
    for _ in 0..50 {
        stream.write_all(&chunk).expect("it is taken");
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert!(answer(&mut stream).starts_with("HTTP/1.1 413 "), "without its length");
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    let head = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 5000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    assert!(answer(&mut stream).starts_with("HTTP/1.1 413 "), "before the body is sent");
}

/// A client may send the body after the head, and the next request on the same connection, whatever becomes of this one.
#[test]
fn a_connection_stays_after_a_request_whose_body_nobody_wants() {
    let sandbox = trained();
    sandbox.write("token", "a-token-of-many-characters\n");
    let server = Server::start(&sandbox, &["small", "--token-file", "token"]);
    let bearer = "authorization: Bearer a-token-of-many-characters\r\n";
    for (line, more, status) in [
        ("POST /zzz", bearer, 404),
        ("PUT /predict", bearer, 405),
        ("POST /predict", &format!("{bearer}content-type: text/plain\r\n"), 415),
        ("POST /models/zzz/predict", bearer, 415),
        ("POST /predict", "", 401),
    ] {
        let mut stream = TcpStream::connect(&server.address).expect("a connection");
        stream.set_nodelay(true).unwrap();
        for _ in 0..2 {
            let head = format!("{line} HTTP/1.1\r\nhost: x\r\n{more}content-length: 2\r\n\r\n");
            stream.write_all(head.as_bytes()).expect("the connection is open");
            // An answer before the body would be here by then.
            thread::sleep(Duration::from_millis(50));
            stream.write_all(b"{}").expect("the connection is open");
            let said = answer(&mut stream);
            assert!(
                said.starts_with(&format!("HTTP/1.1 {status} ")) && !said.contains("connection: close"),
                "{line}: {said}"
            );
        }
    }
    // Who never sends it is answered, and told that the connection ends.
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    stream.write_all(b"POST /zzz HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n").unwrap();
    let said = answer(&mut stream);
    assert!(said.starts_with("HTTP/1.1 401 ") && said.contains("connection: close"), "{said}");
}

/// What a connection says until it ends, or for some seconds.
fn answer(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        all.extend_from_slice(&buffer[..n]);
        if String::from_utf8_lossy(&all).contains("\"}") {
            break;
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn slow_clients_are_given_up_and_others_are_answered() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small", "--client-timeout", "0.5"]);
    let connect = |sent: &str| {
        let mut stream = TcpStream::connect(&server.address).expect("a connection");
        stream.write_all(sent.as_bytes()).expect("it is taken");
        stream
    };
    let head = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n";
    let mut idle = connect("");
    let mut half_a_head = connect("POST /predict HTTP/1.1\r\nhost:");
    let mut half_a_body = connect(&format!("{head}{{\"inputs\": "));
    // One that sends a byte now and then.
    let mut drip = connect(head);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) && drip.write_all(b" ").is_ok() {
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.client().asked("/predict", json!({ "inputs": "好" })).as_array().map(Vec::len), Some(2));
    assert_eq!(answer(&mut idle), "", "it is closed");
    assert!(!answer(&mut half_a_head).contains("200 OK"), "it is closed");
    let said = answer(&mut half_a_body);
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("connection: close"), "{said}");
    assert!(said.contains("the body did not arrive within 0.5 seconds"), "{said}");
    let metrics = server.client().get("/metrics").body;
    let slow = "taper_requests_total{route=\"/predict\",status=\"408\"} 2";
    assert!(metrics.contains(slow), "{metrics}");
}

/// Of a client that has gone nothing is left.
#[test]
fn cut_connections_leave_nothing_behind() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small"]);
    let body = json!({ "inputs": (0..200).map(|i| vec![format!("味道很好 {i}")]).collect::<Vec<_>>() }).to_string();
    let whole = format!(
        "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for at in [1, 20, 60, 110, 200, whole.len() / 2, whole.len() - 1, whole.len()] {
        for _ in 0..3 {
            let mut stream = TcpStream::connect(&server.address).expect("a connection");
            stream.write_all(&whole.as_bytes()[..at]).expect("it is taken");
        }
    }
    let client = server.client();
    let began = Instant::now();
    let value = |page: &str, name: &str| page.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
    loop {
        let page = client.get("/metrics").body;
        // The request for this page, on its connection.
        if [value(&page, "taper_requests_open"), value(&page, "taper_connections")]
            == [Some("1".into()), Some("1".into())]
        {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{page}");
        thread::sleep(Duration::from_millis(50));
    }
    client.asked("/predict", json!({ "inputs": "好" }));
}

#[test]
fn a_token_is_wanted_where_models_are() {
    let sandbox = trained();
    sandbox.write("token", "0123456789abcdef0123456789abcdef\n");
    let server = Server::start(&sandbox, &["small", "--token-file", "token"]);
    let client = server.client();
    for path in ["/", "/docs", "/openapi.json", "/health"] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    for path in ["/info", "/metrics"] {
        let reply = client.get(path);
        assert!(reply.status == 401 && reply.error().contains("Authorization: Bearer TOKEN"), "{path}: {reply:?}");
        for (token, status) in [
            ("Bearer 0123456789abcdef0123456789abcdef", 200),
            ("Bearer 0123456789abcdef0123456789abcdee", 401),
            ("0123456789abcdef0123456789abcdef", 401),
        ] {
            assert_eq!(client.get_with_token(path, token).status, status, "{path} {token}");
        }
    }
    let body: Value = json!({ "inputs": "好" });
    assert_eq!(client.post("/predict", &body).status, 401);
    assert_eq!(client.post("/models/small/predict", &body).status, 401);
}

/// Weights whose products are beyond float32: nothing that is no number is printed.
#[test]
fn an_answer_that_is_no_number_is_an_error() {
    let sandbox = trained();
    let path = sandbox.path("model/model.safetensors");
    let mut bytes = std::fs::read(&path).expect("weights");
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let names: Value = serde_json::from_slice(&bytes[8..8 + header]).expect("its header");
    let ends =
        [0, 1].map(|end| names["classifier.weight"]["data_offsets"][end].as_u64().expect("it") as usize + 8 + header);
    bytes[ends[0]..ends[1]].chunks_exact_mut(4).for_each(|weight| weight.copy_from_slice(&3e38f32.to_le_bytes()));
    std::fs::write(&path, bytes).expect("weights");
    let server = Server::start(&sandbox, &["model"]);
    for (path, body) in [("/predict", json!({ "inputs": "好" })), ("/v1/classify", json!({ "input": "好" }))] {
        let reply = server.client().post(path, &body);
        assert!(reply.status == 424 && reply.error().contains("not a number"), "{reply:?}");
    }
}
