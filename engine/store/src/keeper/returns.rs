//! Drives that are there again while the node runs.
//!
//! One that was missing is taken in as soon as it shows its superblock. One that failed is left alone for a while first, for
//! twice as long each time: a drive that fails again and again must not keep the others busy with its healing. So is one that
//! doesn't answer when it is looked for: each look may leave a thread behind that hangs in it.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Work;
use crate::drive::{DriveState, Member};
use crate::recovery::RecoveryError;

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A drive that failed is left alone for so long at most.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// After so long without a failure one counts as the first again.
const FORGIVEN: Duration = Duration::from_secs(24 * 3600);

/// What is known of a path without a drive in use.
#[derive(Debug)]
struct Absence {
    /// The member that went out of use; none where the drive was never known.
    member: Option<Arc<Member>>,
    /// When it is looked for next.
    due: Instant,
    /// How long it is left alone when it fails the next time.
    wait: Duration,
    /// When it failed last.
    failed: Instant,
    /// What was said of it.
    said: String,
}

impl Absence {
    fn new(wait: Duration) -> Self {
        let now = Instant::now();
        Self { member: None, due: now, wait, failed: now, said: String::new() }
    }

    /// Notes a failure: it is left alone for longer each time.
    fn fail(&mut self, shortest: Duration) {
        let now = Instant::now();
        if now.duration_since(self.failed) > FORGIVEN {
            self.wait = shortest;
        }
        self.failed = now;
        self.due = now + self.wait;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }

    /// Follows which member is out of use.
    fn follow(&mut self, member: Option<&Arc<Member>>, shortest: Duration) {
        let is_same = match (&self.member, member) {
            (Some(held), Some(member)) => Arc::ptr_eq(held, member),
            (held, member) => held.is_none() && member.is_none(),
        };
        if !is_same {
            self.member = member.cloned();
            match member {
                Some(member) if member.state() == DriveState::Failed => self.fail(shortest),
                _ => self.due = Instant::now(),
            }
        }
    }
}

impl Work {
    pub(super) fn return_loop(&self) {
        let mut absences: HashMap<PathBuf, Absence> = HashMap::new();
        while !self.stopping() {
            let roster = self.shared.hardware.roster().clone();
            let mut known: HashMap<PathBuf, Option<&Arc<Member>>> =
                self.intake.configured().iter().map(|path| (path.clone(), None)).collect();
            known.extend(roster.members.values().map(|member| (PathBuf::from(member.drive.path()), Some(member))));
            for (path, member) in known.into_iter().filter(|(_, member)| !member.is_some_and(|member| member.online()))
            {
                if !self.stopping() {
                    let absence = absences.entry(path.clone()).or_insert_with(|| Absence::new(self.retry_failed));
                    absence.follow(member, self.retry_failed);
                    self.look_for(path, absence);
                }
            }
            self.intake.clear_leftovers(&self.shared);
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    fn look_for(&self, path: PathBuf, absence: &mut Absence) {
        if Instant::now() < absence.due {
            return;
        }
        let taken = {
            let _alone = self.intake.alone();
            self.intake.take_in(&self.shared, &self.queue, &path)
        };
        match taken {
            Ok(number) => {
                tracing::info!(drive = %path.display(), number, "drive taken in again");
                absence.said.clear();
            }
            // Nothing is there.
            Err(RecoveryError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                absence.due = Instant::now() + LOOK_EVERY;
            }
            Err(error) => {
                let what = error.to_string();
                if absence.said != what {
                    tracing::warn!(drive = %path.display(), error = what, "the drive can't be taken in");
                    absence.said = what;
                }
                absence.fail(self.retry_failed);
            }
        }
    }
}
