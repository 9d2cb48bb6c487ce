//! The protocol of a witness, over a socket. Also driven by a test.

use std::{
    error::Error,
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use stockade_audit_chain::{ConsistencyProof, Digest, Frontier, LocalSigner, Note, SignedCheckpoint, VerifierKey};

/// The most bytes of a request that are read: a proof has at most 63 hashes, a checkpoint is a few lines.
const MAX_REQUEST: u64 = 1 << 16;

/// What is remembered: the size and root that were last cosigned, for each log whose key is known.
pub(crate) struct Witness {
    signer: LocalSigner,
    keys: Vec<VerifierKey>,
    state: PathBuf,
}

/// A status of HTTP, and what is said.
type Response = (u16, String);

impl Witness {
    pub(crate) fn new(signer: LocalSigner, keys: Vec<VerifierKey>, state: PathBuf) -> Self {
        Self { signer, keys, state }
    }

    /// C2SP tlog-witness, `add-checkpoint`.
    fn add(&self, body: &str) -> Result<Response, Box<dyn Error>> {
        let Some((old, proof, note)) = parse(body) else { return Ok((400, "malformed\n".into())) };
        let origin = note.text().lines().next().unwrap_or_default().to_owned();
        let Some(key) = self.keys.iter().find(|key| key.name() == origin) else {
            return Ok((404, "unknown log\n".into()));
        };
        let Some(signed) = SignedCheckpoint::open(&note, key) else {
            return Ok((403, "not signed by the log\n".into()));
        };
        let (size, root) = (signed.checkpoint().size(), signed.checkpoint().root());
        if old > size {
            return Ok((400, "the old size is larger\n".into()));
        }
        let (seen, seen_root) = self.seen(&origin)?;
        if old != seen || (size == seen && root != seen_root) {
            return Ok((409, format!("{seen}\n")));
        }
        if !ConsistencyProof::from_parts(old, size, proof).verify(&seen_root, &root) {
            return Ok((422, "the proof does not hold\n".into()));
        }
        // Remembered before it is said, and durably: after a crash the witness must not cosign another one.
        self.remember(&origin, size, &root)?;
        let mut own = Note::new(note.text())?;
        let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        tokio::runtime::Builder::new_current_thread().build()?.block_on(own.cosign(&self.signer, time))?;
        let lines = own.to_string();
        Ok((200, lines.strip_prefix(&format!("{}\n", note.text())).unwrap_or_default().to_owned()))
    }

    fn file(&self, origin: &str) -> PathBuf {
        self.state.join(Digest::leaf(origin.as_bytes()).to_string())
    }

    fn seen(&self, origin: &str) -> Result<(u64, Digest), Box<dyn Error>> {
        match fs::read_to_string(self.file(origin)) {
            Ok(text) => {
                let (size, root) = text.split_once(' ').ok_or("the state cannot be read")?;
                Ok((size.parse()?, root.parse()?))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((0, Frontier::new().root())),
            Err(error) => Err(error.into()),
        }
    }

    fn remember(&self, origin: &str, size: u64, root: &Digest) -> io::Result<()> {
        let (file, new) = (self.file(origin), self.state.join("new"));
        let mut written = fs::File::create(&new)?;
        write!(written, "{size} {root}")?;
        written.sync_all()?;
        fs::rename(new, file)?;
        fs::File::open(&self.state)?.sync_all()
    }
}

fn parse(body: &str) -> Option<(u64, Vec<Digest>, Note)> {
    let (head, note) = body.split_once("\n\n")?;
    let mut lines = head.lines();
    let old = lines.next()?.strip_prefix("old ")?.parse().ok()?;
    let hash = |line: &str| Digest::try_from(STANDARD.decode(line).ok()?.as_slice()).ok();
    Some((old, lines.map(hash).collect::<Option<_>>()?, note.parse().ok()?))
}

/// One request after another, so that nothing is compared and remembered at once. A bad connection ends itself only.
pub(crate) fn serve(listener: &TcpListener, witness: &Witness) -> Result<(), Box<dyn Error>> {
    for stream in listener.incoming() {
        if let Err(error) = stream.map_err(Into::into).and_then(|stream| answer(stream, witness)) {
            writeln!(io::stderr(), "witness: {error}")?;
        }
    }
    Ok(())
}

fn answer(mut stream: TcpStream, witness: &Witness) -> Result<(), Box<dyn Error>> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream.try_clone()?).take(MAX_REQUEST);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse()?,
            Some(_) => {}
            None => break,
        }
    }
    let (status, said) = if request.starts_with("POST /add-checkpoint ") {
        let mut body = String::new();
        reader.take(length).read_to_string(&mut body)?;
        witness.add(&body)?
    } else {
        (404, "nothing is here\n".to_owned())
    };
    let kind = if status == 409 { "text/x.tlog.size" } else { "text/plain" };
    let length = said.len();
    write!(
        stream,
        "HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{said}"
    )?;
    Ok(())
}
