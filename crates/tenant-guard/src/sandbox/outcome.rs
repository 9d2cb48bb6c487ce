//! What came of a program.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;

use super::launch::Running;
use super::limits::{Limit, Limits};

/// How a program ended, and what it wrote until then.
#[derive(Clone)]
pub struct Outcome {
    status: Option<ExitStatus>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    stopped_by: Option<Limit>,
    withheld: Vec<String>,
}

impl Outcome {
    /// Whether the program ended by itself, with status 0 and within its limits.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.stopped_by.is_none() && self.status.is_some_and(|status| status.success())
    }

    /// How it ended. Unknown only if another part of the application reaped it.
    #[must_use]
    pub const fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// The limit that ended it, if one did.
    #[must_use]
    pub const fn stopped_by(&self) -> Option<Limit> {
        self.stopped_by
    }

    /// Its standard output, at most as long as its limit.
    #[must_use]
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// Its standard error, at most as long as its limit.
    #[must_use]
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    /// The names of variables that were asked for and withheld.
    #[must_use]
    pub fn withheld(&self) -> &[String] {
        &self.withheld
    }
}

impl fmt::Debug for Outcome {
    /// Without what the program wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("status", &self.status)
            .field("stopped_by", &self.stopped_by)
            .field("stdout", &self.stdout.len())
            .field("stderr", &self.stderr.len())
            .field("withheld", &self.withheld)
            .finish()
    }
}

/// Follows a program to its end.
pub(super) async fn follow(running: Running, input: &[u8], limits: Limits, withheld: Vec<String>) -> Outcome {
    let Running { group, stdin, stdout, stderr, status } = running;
    let mut status = Box::pin(status);
    let mut outcome = Outcome { status: None, stdout: Vec::new(), stderr: Vec::new(), stopped_by: None, withheld };
    let mut ended = None;
    let work = async {
        tokio::try_join!(
            capture(stdout, limits.output, Limit::Stdout, &mut outcome.stdout),
            capture(stderr, limits.output, Limit::Stderr, &mut outcome.stderr),
            async {
                // A program that ends without reading its input is no reason to wait for it.
                tokio::select! {
                    () = feed(stdin, input) => ended = Some(status.as_mut().await),
                    end = status.as_mut() => ended = Some(end),
                }
                Ok(())
            },
        )
    };
    let stopped_by = match tokio::time::timeout(limits.wall_time, Box::pin(work)).await {
        Ok(Ok(_)) => None,
        Ok(Err(limit)) => Some(limit),
        Err(_) => Some(Limit::WallTime),
    };
    group.0.kill();
    let ended = match ended {
        Some(ended) => ended,
        None => status.await,
    };
    outcome.status = ended.ok().and_then(Result::ok);
    outcome.stopped_by = stopped_by.or_else(|| limit_of(outcome.status?.signal()?));
    outcome
}

/// Reads until the end, or until there is more than the limit.
async fn capture(
    source: Option<impl AsyncRead + Unpin>,
    limit: usize,
    reason: Limit,
    kept: &mut Vec<u8>,
) -> Result<(), Limit> {
    let Some(mut source) = source else { return Ok(()) };
    let mut chunk = vec![0; 8192];
    loop {
        // A pipe that cannot be read has nothing more to give.
        let read = source.read(&mut chunk).await.unwrap_or(0);
        let bytes = chunk.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        let room = limit.saturating_sub(kept.len());
        kept.extend(bytes.iter().take(room));
        if bytes.len() > room {
            return Err(reason);
        }
    }
}

/// Writes the input and closes it. A program may leave it unread.
async fn feed(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input).await;
    }
}

fn limit_of(signal: i32) -> Option<Limit> {
    if signal == Signal::XCPU.as_raw() {
        Some(Limit::CpuTime)
    } else if signal == Signal::XFSZ.as_raw() {
        Some(Limit::FileSize)
    } else {
        None
    }
}
