//! Starting a program so that none of it runs unconfined.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tempfile::TempDir;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::group::{Group, KillOnDrop};
use super::limits::{self, Limits};
use crate::error::Error;

/// Becomes the program once it is told to go on.
const STOP_THEN_EXEC: &str = "kill -STOP \"$$\" && exec \"$@\"";

/// Another thread of the application may open a descriptor without `CLOEXEC` at the wrong moment. Then it starts again.
const ATTEMPTS: usize = 5;

pub(super) struct Plan {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) directory: Option<PathBuf>,
    pub(super) user: Option<(u32, u32)>,
    pub(super) reads_input: bool,
    pub(super) limits: Limits,
}

/// A program that has been let go.
pub(super) struct Running {
    pub(super) group: KillOnDrop,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
    /// Comes when the program has ended and its group was killed.
    pub(super) status: oneshot::Receiver<io::Result<ExitStatus>>,
}

/// Starts the program on a thread of its own, which then waits for it.
///
/// A thread of its own, because "no new privileges" is an attribute of a thread that its children inherit and that cannot be taken back.
pub(super) async fn start(plan: Plan, runtime: Handle) -> Result<Running, Error> {
    let (send, receive) = oneshot::channel();
    let keeper = move || {
        let (report, status) = oneshot::channel();
        match Confined::start(&plan, &runtime, status) {
            Ok((mut confined, running)) => {
                // If nobody listens any more, dropping what was sent kills the group.
                drop(send.send(Ok(running)));
                let status = confined.group.reap(&mut confined.child);
                drop(confined);
                let _ = report.send(status);
            }
            Err(error) => drop(send.send(Err(error))),
        }
    };
    thread::Builder::new().name("stockade-sandbox".to_owned()).spawn(keeper).map_err(Error::confine)?;
    receive.await.map_err(|_| Error::confine(io::ErrorKind::BrokenPipe.into()))?
}

struct Confined {
    child: Child,
    group: Group,
    /// Removed with everything in it once the program has ended.
    _directory: Option<TempDir>,
}

impl Confined {
    fn start(
        plan: &Plan,
        runtime: &Handle,
        status: oneshot::Receiver<io::Result<ExitStatus>>,
    ) -> Result<(Self, Running), Error> {
        rustix::thread::set_no_new_privs(true).map_err(|error| Error::confine(error.into()))?;
        let mut confined = Self::stopped(plan)?;
        // From here on an error kills the group.
        let group = KillOnDrop(confined.group.clone());
        let _context = runtime.enter();
        let running = Running {
            stdin: confined.child.stdin.take().map(ChildStdin::from_std).transpose().map_err(Error::confine)?,
            stdout: confined.child.stdout.take().map(ChildStdout::from_std).transpose().map_err(Error::confine)?,
            stderr: confined.child.stderr.take().map(ChildStderr::from_std).transpose().map_err(Error::confine)?,
            group,
            status,
        };
        let leader = pid(&confined.child)?;
        kill_process(leader, Signal::CONT).map_err(|error| Error::confine(error.into()))?;
        Ok((confined, running))
    }

    /// A process that has the limits and only its own three descriptors, and has not run anything of the program.
    fn stopped(plan: &Plan) -> Result<Self, Error> {
        for _ in 0..ATTEMPTS {
            let directory = match plan.directory {
                Some(_) => None,
                None => Some(fresh_directory(plan.user).map_err(Error::confine)?),
            };
            let path = plan.directory.as_deref().or_else(|| directory.as_ref().map(TempDir::path));
            close_fds::set_fds_cloexec(3, &[]);
            let child = command(plan, path).spawn().map_err(Error::confine)?;
            let leader = pid(&child)?;
            let mut confined = Self { child, group: Group::new(leader), _directory: directory };
            match confined.inspect(leader, plan.limits) {
                Ok(Descriptors::OwnOnly) => return Ok(confined),
                Ok(Descriptors::Inherited) => confined.discard(),
                Err(error) => {
                    confined.discard();
                    return Err(Error::confine(error));
                }
            }
        }
        Err(Error::descriptor())
    }

    fn inspect(&self, leader: Pid, limits: Limits) -> io::Result<Descriptors> {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let stopped = loop {
            match waitid(WaitId::Pid(leader), options) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(status) => break status.is_some_and(|status| status.stopped()),
            }
        };
        if !stopped {
            return Err(io::Error::other("the shell ended before it stopped"));
        }
        if !limits.hold_on(leader)? {
            return Err(io::Error::other("the shell did not set the limits"));
        }
        Descriptors::of(leader)
    }

    fn discard(&mut self) {
        self.group.kill();
        let _ = self.group.reap(&mut self.child);
    }
}

enum Descriptors {
    OwnOnly,
    Inherited,
}

impl Descriptors {
    fn of(process: Pid) -> io::Result<Self> {
        for entry in std::fs::read_dir(format!("/proc/{}/fd", process.as_raw_nonzero()))? {
            if !matches!(entry?.file_name().to_str(), Some("0" | "1" | "2")) {
                return Ok(Self::Inherited);
            }
        }
        Ok(Self::OwnOnly)
    }
}

fn command(plan: &Plan, directory: Option<&Path>) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg([limits::SET, STOP_THEN_EXEC].concat()).arg("sandbox");
    command.args(plan.limits.arguments()).arg(&plan.program).args(&plan.arguments);
    command.env_clear();
    if let Some(directory) = directory {
        command.current_dir(directory).env("HOME", directory).env("TMPDIR", directory);
    }
    command.envs(&plan.variables);
    command.stdin(if plan.reads_input { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0);
    if let Some((uid, gid)) = plan.user {
        command.uid(uid).gid(gid);
    }
    command
}

/// Of this user alone (mode 0700).
fn fresh_directory(user: Option<(u32, u32)>) -> io::Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("stockade-sandbox-").tempdir()?;
    if let Some((uid, gid)) = user {
        std::os::unix::fs::chown(directory.path(), Some(uid), Some(gid))?;
    }
    Ok(directory)
}

fn pid(child: &Child) -> Result<Pid, Error> {
    let raw = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    raw.ok_or_else(|| Error::confine(io::ErrorKind::InvalidData.into()))
}
