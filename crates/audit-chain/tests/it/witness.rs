//! The witness of `examples/witness`, over a socket: an honest history, a fork and a rollback.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use stockade_audit_chain::{
    ChainId, ConsistencyProof, Digest, Head, LocalSigner, Note, Publication, Signer as _, Snapshot, TenantHead,
};
use uuid::Uuid;

use crate::support::tenant;

#[path = "../../examples/witness/server.rs"]
mod server;

fn log() -> LocalSigner {
    LocalSigner::from_seed("example.com/audit", &[7; 32]).unwrap()
}

fn witness() -> LocalSigner {
    LocalSigner::from_seed("example.com/witness", &[9; 32]).unwrap()
}

fn start(state: &std::path::Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let witness = server::Witness::new(witness(), vec![log().key().clone()], state.to_owned());
    thread::spawn(move || server::serve(&listener, &witness).unwrap());
    address
}

fn post(address: SocketAddr, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "POST /add-checkpoint HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, said) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), said.to_owned())
}

fn request(old: u64, proof: &[Digest], note: &Note) -> String {
    let lines: String = proof.iter().map(|hash| STANDARD.encode(hash.as_bytes()) + "\n").collect();
    format!("old {old}\n{lines}\n{note}")
}

/// The checkpoint after `last`, over one tenant whose head says `number`.
async fn next(last: Option<&Publication>, number: u64) -> Publication {
    let head = Head { seq: number, ..Head::genesis(tenant(1), ChainId::from(Uuid::nil())) };
    let snapshot = Snapshot::new([TenantHead { head, root: Digest::leaf(&number.to_be_bytes()) }]).unwrap();
    Publication::sign(last, snapshot, &log()).await.unwrap()
}

fn ask(address: SocketAddr, publication: &Publication) -> (u16, String) {
    let proof: ConsistencyProof = publication.prove_extension().unwrap();
    post(address, &request(proof.old_size(), proof.path(), publication.note()))
}

#[tokio::test]
async fn cosigns_an_honest_history_and_refuses_a_fork_and_a_rollback() {
    let state = std::env::temp_dir().join(format!("stockade-witness-{}", std::process::id()));
    let _ = fs::remove_dir_all(&state);
    fs::create_dir_all(&state).unwrap();
    let address = start(&state);

    let mut history = vec![next(None, 0).await];
    for number in 1..6 {
        history.push(next(history.last(), number).await);
    }
    for publication in &history {
        let (status, lines) = ask(address, publication);
        assert_eq!(status, 200);
        let cosigned: Note = format!("{}{lines}", publication.note()).parse().unwrap();
        assert!(cosigned.cosigned_at(witness().key()).is_some());
        assert!(cosigned.is_signed_by(log().key()), "the log's own signature still holds");
    }
    let last = &history[5];
    // Asked again, it says the same again.
    assert_eq!(post(address, &request(6, &[], last.note())).0, 200);
    // A rollback: an older checkpoint, with or without an honest old size.
    assert_eq!(ask(address, &history[3]), (409, "6\n".to_owned()));
    assert_eq!(post(address, &request(6, &[], history[3].note())).0, 400);
    // A fork: the same size with another snapshot; and a longer one that begins otherwise, signed by the log's own key.
    let fork = next(Some(&history[4]), 99).await;
    assert_eq!(post(address, &request(6, &[], fork.note())), (409, "6\n".to_owned()));
    let longer = next(Some(&fork), 100).await;
    assert_eq!(ask(address, &longer).0, 422);
    let anew = next(None, 0).await;
    assert_eq!(ask(address, &anew), (409, "6\n".to_owned()));
    // Nobody else's checkpoints, and nothing that is none.
    let stranger = LocalSigner::from_seed("example.com/audit", &[8; 32]).unwrap();
    let foreign = Publication::sign(Some(last), Snapshot::default(), &stranger).await.unwrap();
    assert_eq!(ask(address, &foreign).0, 403);
    let other = LocalSigner::from_seed("example.com/other", &[7; 32]).unwrap();
    let unknown = Publication::sign(None, Snapshot::default(), &other).await.unwrap();
    assert_eq!(ask(address, &unknown).0, 404);
    for malformed in ["", "old 6\n", "old x\n\n", "old 6\n!\n\nx", "new 6\n\nx\n"] {
        assert_eq!(post(address, malformed).0, 400, "{malformed:?}");
    }
    // It remembers after a restart.
    let address = start(&state);
    assert_eq!(ask(address, &longer).0, 422);
    assert_eq!(ask(address, &next(Some(last), 6).await).0, 200);
    fs::remove_dir_all(&state).unwrap();
}
