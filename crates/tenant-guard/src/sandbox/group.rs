//! A program and the process group that it leads, which end together.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// Kills the group when it is dropped.
#[derive(Clone)]
pub(super) struct Group {
    /// The leader, as long as it was not reaped. A reaped leader's number may be somebody else's, so the lock is held while it is used.
    leader: Arc<Mutex<Option<Pid>>>,
}

/// The end of a group that must not outlive its holder.
pub(super) struct KillOnDrop(pub(super) Group);

impl Group {
    pub(super) fn new(leader: Pid) -> Self {
        Self { leader: Arc::new(Mutex::new(Some(leader))) }
    }

    /// Kills every process of the group.
    pub(super) fn kill(&self) {
        let leader = self.leader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leader) = *leader {
            // Nobody left to kill is what was wanted.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }

    /// Waits until the leader has ended, kills what it left behind in its group, and only then reaps it.
    pub(super) fn reap(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let leader = *self.leader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leader) = leader {
            // Leaves the leader a zombie, so that its number stays its own.
            while let Err(rustix::io::Errno::INTR) =
                waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            {}
        }
        self.kill();
        let mut leader = self.leader.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.wait();
        *leader = None;
        status
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}
