//! Drives that are there again while the node runs.
//!
//! One that was missing is taken in as soon as it shows its superblock. One that failed is left alone for a while first, for
//! twice as long each time: a drive that fails again and again must not keep the others busy with its healing.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Work;
use crate::drive::{DriveNumber, DriveState, Member};
use crate::recovery::RecoveryError;

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A drive that failed is left alone for so long at most.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What is known of a drive that is out of use.
#[derive(Debug)]
struct Absence {
    /// When it is looked for next.
    due: Instant,
    /// How long it is left alone when it fails the next time.
    wait: Duration,
    /// What was said of it.
    said: String,
}

impl Work {
    pub(super) fn return_loop(&self) {
        let mut absences: HashMap<DriveNumber, Absence> = HashMap::new();
        while !self.stopping() {
            let roster = self.shared.hardware.roster().clone();
            for member in roster.members.values().filter(|member| !member.online()) {
                if !self.stopping() {
                    self.look_for(member, &mut absences);
                }
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    fn look_for(&self, member: &Member, absences: &mut HashMap<DriveNumber, Absence>) {
        let failed = member.state() == DriveState::Failed;
        let absence = absences.entry(member.number).or_insert_with(|| {
            let due = Instant::now() + if failed { self.retry_failed } else { Duration::ZERO };
            Absence { due, wait: self.retry_failed, said: String::new() }
        });
        if Instant::now() < absence.due {
            return;
        }
        let path = member.drive.path();
        let taken = {
            let _alone = self.intake.alone();
            self.intake.take_in(&self.shared, &self.queue, Path::new(path))
        };
        match taken {
            Ok(number) => {
                tracing::info!(drive = path, number, "drive taken in again");
                absence.wait = (absence.wait * 2).min(LONGEST_WAIT);
                absence.said.clear();
            }
            Err(error) => {
                let what = error.to_string();
                if !matches!(error, RecoveryError::Io(_)) && absence.said != what {
                    tracing::warn!(drive = path, error = what, "the drive can't be taken in");
                    absence.said = what;
                }
            }
        }
        absence.due = Instant::now() + if failed { absence.wait } else { LOOK_EVERY };
    }
}
