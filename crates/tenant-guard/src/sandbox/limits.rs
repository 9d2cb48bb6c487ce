//! How much a program may use.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Resource, getrlimit};

/// What a program may use: time, output, and resources (setrlimit(2)), the latter for each of its processes.
///
/// Output beyond a limit is not read, and the program is killed. The other limits are the kernel's: an allocation fails, a write raises
/// `SIGXFSZ`, processor time `SIGXCPU` and a second later `SIGKILL`. A core is never dumped. A limit of this process that is lower holds
/// instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(super) wall_time: Duration,
    pub(super) output: usize,
    cpu_seconds: u64,
    memory: u64,
    file_size: u64,
    open_files: u64,
    processes: Option<u64>,
}

/// The limit that ended a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The time was over, or the program had ended and something that it left behind still held its output.
    WallTime,
    /// It wrote too much to its standard output.
    Stdout,
    /// It wrote too much to its standard error.
    Stderr,
    /// The kernel sent it `SIGXCPU`.
    CpuTime,
    /// The kernel sent it `SIGXFSZ`.
    FileSize,
}

impl Default for Limits {
    /// 30 seconds, of which 20 of processor time; 4 MiB of standard output and of standard error each; 1 GiB of address space; files of
    /// 64 MiB; 64 open files; no limit on processes, because the kernel counts all of a user's.
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            wall_time: Duration::from_secs(30),
            output: 4 * 1024 * 1024,
            cpu_seconds: 20,
            memory: 1024 * MIB,
            file_size: 64 * MIB,
            open_files: 64,
            processes: None,
        }
    }
}

impl Limits {
    /// How long the program may take, from its start until everything it started has let go of its output.
    #[must_use]
    pub const fn wall_time(self, wall_time: Duration) -> Self {
        Self { wall_time, ..self }
    }

    /// Bytes of standard output, and again of standard error.
    #[must_use]
    pub const fn output(self, bytes: usize) -> Self {
        Self { output: bytes, ..self }
    }

    /// Seconds of processor time (`RLIMIT_CPU`).
    #[must_use]
    pub const fn cpu_seconds(self, seconds: u64) -> Self {
        Self { cpu_seconds: seconds, ..self }
    }

    /// Bytes of address space, rounded down to 1024 (`RLIMIT_AS`).
    #[must_use]
    pub const fn memory(self, bytes: u64) -> Self {
        Self { memory: bytes, ..self }
    }

    /// Bytes of the largest file it may write, rounded down to 512 (`RLIMIT_FSIZE`).
    #[must_use]
    pub const fn file_size(self, bytes: u64) -> Self {
        Self { file_size: bytes, ..self }
    }

    /// The number of open descriptors (`RLIMIT_NOFILE`).
    #[must_use]
    pub const fn open_files(self, number: u64) -> Self {
        Self { open_files: number, ..self }
    }

    /// The number of processes and threads **of the user**, the application's own included if it runs as the same user
    /// (`RLIMIT_NPROC`). Give the program [a user of its own](super::Sandbox::user). The kernel exempts root.
    #[must_use]
    pub const fn processes(self, number: u64) -> Self {
        Self { processes: Some(number), ..self }
    }

    /// What the shell sets, for [`SET`]. Nothing above what this process may use itself, because that cannot be granted.
    pub(super) fn arguments(self) -> [String; 6] {
        let [cpu, memory, file_size, open_files, processes] = self.granted();
        [
            cpu,
            cpu.map(|seconds| seconds.saturating_add(1)),
            memory.map(|bytes| bytes / 1024),
            file_size.map(|bytes| bytes / 512),
            open_files,
            processes,
        ]
        .map(|number| number.map_or_else(String::new, |number| number.to_string()))
    }

    /// Whether the kernel has them for this process (proc_pid_limits(5)): shells differ in units, and a limit in the wrong unit is none.
    pub(super) fn hold_on(self, process: Pid) -> io::Result<bool> {
        let table = std::fs::read_to_string(format!("/proc/{}/limits", process.as_raw_nonzero()))?;
        let soft = |name: &str| -> Option<u64> {
            table.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
        };
        let names = ["Max cpu time", "Max address space", "Max file size", "Max open files", "Max processes"];
        let within =
            |(name, most): (&str, Option<u64>)| most.is_none_or(|most| soft(name).is_some_and(|soft| soft <= most));
        Ok(soft("Max core file size") == Some(0) && names.into_iter().zip(self.granted()).all(within))
    }

    fn granted(self) -> [Option<u64>; 5] {
        let least = |wanted: u64, resource| getrlimit(resource).maximum.map_or(wanted, |own| own.min(wanted));
        [
            Some(least(self.cpu_seconds.saturating_add(1), Resource::Cpu).saturating_sub(1)),
            Some(least(self.memory, Resource::As)),
            Some(least(self.file_size, Resource::Fsize)),
            Some(least(self.open_files, Resource::Nofile)),
            self.processes.map(|processes| least(processes, Resource::Nproc)),
        ]
    }
}

/// Takes [`Limits::arguments`] and leaves what follows them in `$@`. `SIGXCPU` comes a second before `SIGKILL`, so that the reason can be
/// told. Shells do not agree on the letter of the number of processes.
pub(super) const SET: &str = "ulimit -c 0 && ulimit -S -t \"$1\" && ulimit -H -t \"$2\" && ulimit -v \"$3\" && \
     ulimit -f \"$4\" && ulimit -n \"$5\" || exit 126; \
     if [ -n \"$6\" ]; then \
       if (ulimit -u \"$6\") 2>/dev/null; then ulimit -u \"$6\"; else ulimit -p \"$6\"; fi || exit 126; \
     fi; \
     shift 6; ";
