//! What is refused before anything is served, and what is said at the start.

use std::net::TcpListener;

use super::server::Server;
use crate::predict::trained;

#[test]
fn what_cannot_be_served_is_refused_at_once() {
    let sandbox = trained();
    sandbox.write("short", "abc");
    sandbox.write("empty/x", "");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    for (arguments, code, said) in [
        (&["small", "--addr", "0.0.0.0:0"][..], 2, "give --token-file FILE, or --without-token"),
        (&["small", "--addr", "[::]:0"], 2, "other machines may reach this address"),
        (&["small", "--addr", "zzz"], 2, "expected HOST:PORT"),
        (&["small", "--addr", &taken], 2, "another program is already listening there"),
        (&["small", "--token-file", "short"], 2, "fewer than 16 characters"),
        (&["small", "--token-file", "missing"], 2, "no such file"),
        (&["zzz", "--addr", "127.0.0.1:0"], 2, "zzz"),
        (&["empty", "--addr", "127.0.0.1:0"], 2, "no config.json"),
        (&["a=small", "a=model", "--addr", "127.0.0.1:0"], 2, "two models have the name `a`"),
        (&["small", "--queue-tokens", "0"], 2, "a whole number above 0"),
        (&["small", "--answer-timeout", "0"], 2, "expected seconds"),
        (&[], 2, "DIR is a folder that `taper export` wrote"),
    ] {
        let (got, words) = sandbox.says(&[&["serve"], arguments].concat());
        assert!(got == code && words.contains(said), "{arguments:?}: {got}, {words}");
    }
    std::fs::write(sandbox.path("model/model.safetensors"), "broken").expect("weights");
    let (code, words) = sandbox.says(&["serve", "model", "--addr", "127.0.0.1:0"]);
    assert!(code == 2 && words.contains("model.safetensors"), "{words}");
    std::fs::remove_file(sandbox.path("model/model.safetensors")).expect("weights");
    let (code, words) = sandbox.says(&["serve", "model", "--addr", "127.0.0.1:0"]);
    assert!(code == 2 && words.contains("the folder has no model.safetensors"), "{words}");
}

#[test]
fn addresses_that_others_reach_are_warned_of() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small", "--without-token", "--addr", "0.0.0.0:0"]);
    assert!(
        server.said().contains("warning: --addr 0.0.0.0:0: everybody who reaches this address"),
        "{}",
        server.said()
    );
    server.terminate();
    let (code, said) = server.wait();
    assert!(code == Some(0) && said.contains("stopped: 0 requests, all answered"), "{said}");
}
