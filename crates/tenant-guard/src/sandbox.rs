//! Helper processes that get nothing of the application but what they are given. Linux only.
//!
//! Converters, AI tools and report renderers read files that strangers sent. A child of the application inherits its environment, and
//! with it the database's password, unless somebody prevents that; see [`Sandbox`].
//!
//! The program does not run before it is confined. `/bin/sh` is started in its place, with the same environment, descriptors, user and
//! process group, sets the limits, stops itself, and becomes the program only after limits and descriptors were looked at.

mod environment;
mod group;
mod launch;
mod limits;
mod outcome;
mod secret;

use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::runtime::Handle;

pub use limits::{Limit, Limits};
pub use outcome::Outcome;

use crate::error::Error;
use environment::{Environment, Selected};
use launch::Plan;

/// A program that is run without the application's secrets.
///
/// Everything is refused until it is allowed: no environment variable, no open descriptor, an empty standard input, a fresh empty
/// working directory that is also `HOME` and `TMPDIR`, and the [default limits](Limits).
///
/// ```no_run
/// use std::time::Duration;
/// use stockade_tenant_guard::sandbox::{Limits, Sandbox};
///
/// # async fn example(upload: Vec<u8>) -> Result<(), stockade_tenant_guard::Error> {
/// let outcome = Sandbox::command("/usr/bin/pdftotext")
///     .args(["-", "-"])
///     .allow_env("LC_*")
///     .input(upload)
///     .limits(Limits::default().wall_time(Duration::from_secs(10)))
///     .run()
///     .await?;
/// if outcome.is_success() {
///     println!("{}", String::from_utf8_lossy(outcome.stdout()));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a sandbox does nothing until it is run"]
pub struct Sandbox {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Environment,
    input: Vec<u8>,
    directory: Option<PathBuf>,
    user: Option<(u32, u32)>,
    limits: Limits,
}

impl Sandbox {
    /// A program by its absolute path: nothing is looked up in `PATH`, so nobody can put another program first.
    pub fn command(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Environment::default(),
            input: Vec::new(),
            directory: None,
            user: None,
            limits: Limits::default(),
        }
    }

    /// Adds an argument. Every user of the machine can read the arguments of a running program: no place for a secret.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Lets a variable of the application's environment through: by its name, or by the beginning of names with a `*` behind it.
    ///
    /// What looks like a secret, by name or by value, is withheld all the same; see [`withheld`](Self::withheld).
    pub fn allow_env(mut self, pattern: impl Into<String>) -> Self {
        self.environment.allow(pattern.into());
        self
    }

    /// Sets a variable. What looks like a secret is withheld.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.set(name.into(), value.into());
        self
    }

    /// Hands one variable to the program **although it looks like a secret**: its exact name, no pattern. Its value is that of
    /// [`env`](Self::env), or else the application's own.
    pub fn dangerously_expose_secret_env(mut self, name: impl Into<String>) -> Self {
        self.environment.expose(name.into());
        self
    }

    /// What the program reads from its standard input. Without it, the input is empty.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Runs in this directory, instead of a fresh one that is removed afterwards.
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = Some(path.into());
        self
    }

    /// Runs as another user and group, without supplementary groups. Needs the privilege to change them.
    ///
    /// This is what keeps the program from the application's files, and it makes [`Limits`] binding for an application that runs as
    /// root: a program of user 0 can lift them.
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        self.user = Some((uid, gid));
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The names of variables that were allowed or set, but are withheld because they look like secrets or cannot be examined.
    #[must_use]
    pub fn withheld(&self) -> Vec<String> {
        self.environment.select(std::env::vars_os()).withheld
    }

    /// Runs the program to its end or to a limit.
    ///
    /// When this returns, the program and everything in its process group has ended. Dropping the future kills them.
    ///
    /// # Errors
    ///
    /// [`Program`](crate::ErrorKind::Program) if the program is not the absolute path of an executable file,
    /// [`Sandbox`](crate::ErrorKind::Sandbox) if the operating system refused to start or to confine it: nothing of it ran,
    /// [`NoRuntime`](crate::ErrorKind::NoRuntime) outside a Tokio runtime. A limit that was reached is not an error, but part of the
    /// [`Outcome`].
    pub async fn run(&self) -> Result<Outcome, Error> {
        let runtime = Handle::try_current().map_err(Error::no_runtime)?;
        if !is_executable(&self.program) {
            return Err(Error::program());
        }
        let Selected { variables, withheld } = self.environment.select(std::env::vars_os());
        let plan = Plan {
            program: self.program.clone(),
            arguments: self.arguments.clone(),
            variables,
            directory: self.directory.clone(),
            user: self.user,
            reads_input: !self.input.is_empty(),
            limits: self.limits,
        };
        let running = launch::start(plan, runtime).await?;
        Ok(outcome::follow(running, &self.input, self.limits, withheld).await)
    }
}

impl fmt::Debug for Sandbox {
    /// Without arguments, values and input.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("program", &self.program).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Keeps other processes of the same user from reading this one's memory, environment and descriptors, and it from dumping core
/// (`PR_SET_DUMPABLE`, prctl(2)).
///
/// Without it a program in a [`Sandbox`] that runs as the application's own user reads `/proc/<pid>/environ` of the application, and with
/// it every variable that was withheld. Call it first thing in `main`; debuggers and crash reporters stop working. It does not hold
/// against a program that has `CAP_SYS_PTRACE`, as one that runs as root does.
///
/// # Errors
///
/// [`Sandbox`](crate::ErrorKind::Sandbox) if the kernel refused.
pub fn hide_this_process() -> Result<(), Error> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| Error::confine(error.into()))
}

fn is_executable(program: &Path) -> bool {
    const ANY_EXECUTE: u32 = 0o111;
    program.is_absolute()
        && program.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & ANY_EXECUTE != 0)
}
